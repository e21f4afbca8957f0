// Speaks to screen readers through the page's live region.

/** Screen readers notice a change of text, so a repeated sentence must be gone for this long first. */
const PAUSE_MS = 50;
/** What is read while one draws is spoken when the pen rests: every stroke has its answer. */
const REST_MS = 900;

/**
 * @callback Announce  Announces a sentence in place of the last one.
 * @param {string} sentence
 * @param {{ atRest?: boolean }} [when]  Whether to wait for a rest, in which nothing else is said.
 * @returns {void}
 */

/**
 * @param {HTMLElement} region  An element with aria-live.
 * @returns {Announce}
 */
export function createAnnouncer(region) {
  let timer = 0;
  return (sentence, { atRest = false } = {}) => {
    clearTimeout(timer);
    region.textContent = "";
    timer = setTimeout(
      () => {
        region.textContent = sentence;
      },
      atRest ? REST_MS : PAUSE_MS,
    );
  };
}
