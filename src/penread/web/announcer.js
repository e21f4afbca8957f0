// Speaks to screen readers through the page's live region.

/** Screen readers notice a change of text, so a repeated sentence must be gone for this long first. */
const PAUSE_MS = 50;

/**
 * @param {HTMLElement} region  An element with aria-live.
 * @returns {(sentence: string) => void}  Announces a sentence in place of the last one.
 */
export function createAnnouncer(region) {
  let timer = 0;
  return (sentence) => {
    clearTimeout(timer);
    region.textContent = "";
    timer = setTimeout(() => {
      region.textContent = sentence;
    }, PAUSE_MS);
  };
}
