// The key that a server may want: asked for in a dialog where the server says so, and sent with what it is asked.

import { forget, recall, remember } from "./preferences.js";

/**
 * @typedef {object} KeyParts
 * @property {HTMLDialogElement} dialog
 * @property {HTMLFormElement} form
 * @property {HTMLInputElement} input
 * @property {HTMLInputElement} keep  Whether it is kept after the visit.
 * @property {HTMLElement} complaint  Says that a key was wrong.
 * @property {HTMLElement} forgetButton
 * @property {HTMLElement} cancelButton
 *
 * @typedef {object} Keys
 * @property {() => string | null} current  The key; null where there is none.
 * @property {(key: string | null) => void} refuse  The server does not know it: it is forgotten, unless another is in
 *   its place by now.
 * @property {() => boolean} isAsking
 * @property {() => Promise<boolean>} ask  Opens the dialog; true where a key was given.
 */

const NAME = "key";
/** What a header may hold. */
const SENDABLE = /^[!-~]+$/;

/**
 * @param {KeyParts} parts
 * @returns {Keys}
 */
export function createKeys({ dialog, form, input, keep, complaint, forgetButton, cancelButton }) {
  let key = recall(NAME);
  let wasWrong = false;
  let isGiven = false;

  function complain() {
    complaint.hidden = false;
    input.setAttribute("aria-invalid", "true");
    input.focus();
    input.select();
  }

  function drop() {
    key = null;
    forget(NAME);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = input.value.trim();
    if (!SENDABLE.test(given)) {
      complain();
      return;
    }
    drop();
    key = given;
    remember(NAME, given, { isForVisit: !keep.checked });
    isGiven = true;
    dialog.close();
  });
  cancelButton.addEventListener("click", () => dialog.close());
  forgetButton.addEventListener("click", () => {
    drop();
    dialog.close();
  });

  return {
    current: () => key,

    refuse(refused) {
      if (refused === null || refused !== key) return;
      drop();
      wasWrong = true;
    },

    isAsking: () => dialog.open,

    ask() {
      isGiven = false;
      input.value = "";
      input.removeAttribute("aria-invalid");
      complaint.hidden = true;
      forgetButton.hidden = key === null;
      dialog.showModal();
      // Screen readers speak a complaint that comes when the dialog is there.
      if (wasWrong) complain();
      wasWrong = false;
      return new Promise((resolve) => {
        dialog.addEventListener("close", () => resolve(isGiven), { once: true });
      });
    },
  };
}
