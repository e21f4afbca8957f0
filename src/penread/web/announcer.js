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
  let soon = 0;
  let resting = 0;
  return (sentence, { atRest = false } = {}) => {
    clearTimeout(resting);
    const say = () => {
      region.textContent = sentence;
    };
    if (atRest) {
      // What is to be said at once is said first.
      resting = setTimeout(() => {
        region.textContent = "";
        resting = setTimeout(say, PAUSE_MS);
      }, REST_MS);
      return;
    }
    clearTimeout(soon);
    region.textContent = "";
    soon = setTimeout(say, PAUSE_MS);
  };
}
