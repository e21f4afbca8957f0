// One character or several? A drawing is read as one character first; what is none may be a text.

import { charactersOf } from "./reading.js";

/**
 * @typedef {import("./reading.js").CharacterAnswer} CharacterAnswer
 * @typedef {import("./reading.js").TextAnswer} TextAnswer
 */

// A long word or two lines, squeezed into the square that one character has, look like nothing the model knows, or like
// a blot. So what is rejected as that is read as text, too, and each character must pass as one by itself: where so many
// do, and are read so well, it is a text. (Chosen on words and lines put together from characters drawn for training,
// against scribbles and doodles made for it; the model's own "several" needs no more than two characters.)
const PASSING = 0.8;
const WELL_READ = 0.8;

/**
 * Tells whether a drawing that was read as one character is to be read as text.
 *
 * @param {CharacterAnswer} alone  What it is as one character.
 * @param {number | null} unclearAbove  The model's own bound to reject a single character, where it is known.
 * @returns {{ unclearAbove: number | null } | null}  How; null where it isn't.
 */
export function mayBeText({ reason }, unclearAbove) {
  if (reason === "several") return { unclearAbove: null };
  return (reason === "unknown" || reason === "solid") && unclearAbove !== null ? { unclearAbove } : null;
}

/**
 * Tells whether what was read as text is the answer.
 *
 * @param {CharacterAnswer} alone
 * @param {TextAnswer} text
 */
export function isText({ reason }, text) {
  const characters = charactersOf(text);
  if (characters.length < 2) return false;
  if (reason === "several") return true;
  const passing = characters.filter(({ char }) => char !== null);
  const logs = passing.map(({ confidence }) => Math.log(confidence));
  const mean = logs.reduce((sum, log) => sum + log, 0) / Math.max(logs.length, 1);
  return passing.length >= PASSING * characters.length && mean >= Math.log(WELL_READ);
}
