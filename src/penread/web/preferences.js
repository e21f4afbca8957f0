// What a reader chose and finds again: kept in the browser, for good or for this visit only.

const PREFIX = "penread.";

/**
 * @param {string} name
 * @returns {string | null}
 */
export function recall(name) {
  try {
    return sessionStorage.getItem(PREFIX + name) ?? localStorage.getItem(PREFIX + name);
  } catch {
    // The browser keeps nothing for this page; so be it.
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 * @param {{ isForVisit?: boolean }} [how]  Whether it ends with the visit.
 */
export function remember(name, value, { isForVisit = false } = {}) {
  try {
    (isForVisit ? sessionStorage : localStorage).setItem(PREFIX + name, value);
  } catch {
    // As above.
  }
}

/** @param {string} name */
export function forget(name) {
  try {
    sessionStorage.removeItem(PREFIX + name);
    localStorage.removeItem(PREFIX + name);
  } catch {
    // As above.
  }
}
