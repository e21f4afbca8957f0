// What a glyph says without regard to any other, as penread/context.py's `alone` has it.

import { allowedChars, select } from "./charset.js";
import { GLYPH_PX, logCaseOfL } from "./glyph.js";

/**
 * @typedef {object} Alone
 * @property {Float64Array} logProbs  Log-probabilities of the characters allowed, a row of them for each glyph.
 * @property {string[]} answers  The characters allowed.
 */

/**
 * Gives the log-probabilities that logits stand for, row by row.
 *
 * @param {Float64Array} logits
 * @param {number} columns
 * @returns {Float64Array}
 */
export function logSoftmax(logits, columns) {
  const logProbs = new Float64Array(logits.length);
  for (let row = 0; row < logits.length; row += columns) {
    let top = -Infinity;
    for (let at = row; at < row + columns; at += 1) top = Math.max(top, logits[at]);
    let sum = 0;
    for (let at = row; at < row + columns; at += 1) sum += Math.exp(logits[at] - top);
    const total = top + Math.log(sum);
    for (let at = row; at < row + columns; at += 1) logProbs[at] = logits[at] - total;
  }
  return logProbs;
}

/**
 * Reads glyphs, each by itself.
 *
 * @param {Float64Array} logits  What the network says to them, divided by its temperature, a row of classes for each.
 * @param {Uint8Array} glyphs  As many, one after the other.
 * @param {string} chars  The class table of the model.
 * @param {string | null} charset  The characters allowed, see `select`.
 * @returns {Alone}
 * @throws {import("./charset.js").CharsetError}
 */
export function alone(logits, glyphs, chars, charset) {
  const { classes, answers } = select(chars, charset);
  const count = logits.length / chars.length;
  const ofAllowed = new Float64Array(count * classes.length);
  for (let row = 0; row < count; row += 1) {
    classes.forEach((label, column) => {
      ofAllowed[row * classes.length + column] = logits[row * chars.length + label];
    });
  }
  const allowed = allowedChars(chars, charset);
  const cases = ["L", "l"].filter((char) => allowed.has(char));
  if (cases.length === 1 && chars.includes("L") && !chars.includes("l")) {
    const column = answers.indexOf(cases[0]);
    for (let row = 0; row < count; row += 1) {
      const glyph = glyphs.subarray(row * GLYPH_PX * GLYPH_PX, (row + 1) * GLYPH_PX * GLYPH_PX);
      ofAllowed[row * classes.length + column] += logCaseOfL(glyph)["Ll".indexOf(cases[0])];
    }
  }
  return { logProbs: logSoftmax(ofAllowed, classes.length), answers };
}
