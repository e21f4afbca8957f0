// Why a character was read: how much each part of its ink speaks for it, by covering the parts one after the other.
// A port of penread/explain.py.

import { GLYPH_PX } from "./glyph.js";

/** @typedef {readonly [top: number, left: number]} Window  Where it is on the glyph. */

// The window is twice as wide as a stroke: it cuts one through, and leaves its neighbours alone.
const WINDOW_PX = 6;
const STEP_PX = 2;

/**
 * Takes the ink out of each window of a glyph in turn.
 *
 * @param {Uint8Array} glyph
 * @returns {{ glyphs: Uint8Array, windows: Window[] }}  The windows that have ink; and the glyph itself, followed by
 *   what each of them leaves of it.
 */
export function covered(glyph) {
  /** @type {Window[]} */
  const windows = [];
  for (let top = 0; top + WINDOW_PX <= GLYPH_PX; top += STEP_PX) {
    for (let left = 0; left + WINDOW_PX <= GLYPH_PX; left += STEP_PX) {
      if (pixelsOf([top, left]).some((at) => glyph[at] > 0)) windows.push([top, left]);
    }
  }
  const glyphs = new Uint8Array((1 + windows.length) * glyph.length);
  glyphs.set(glyph);
  windows.forEach((window, number) => {
    const left = glyphs.subarray((1 + number) * glyph.length, (2 + number) * glyph.length);
    left.set(glyph);
    for (const at of pixelsOf(window)) left[at] = 0;
  });
  return { glyphs, windows };
}

/**
 * Gives the odds of one character against all others: they tell sure from very sure, as probabilities don't.
 *
 * @param {Float64Array} logProbs  A row of the characters for each glyph.
 * @param {number} columns  How many characters there are.
 * @param {number} column  Which of them.
 * @returns {number[]}  The logarithms of the odds, nats; where only one character is allowed, zeros.
 */
export function logOdds(logProbs, columns, column) {
  return Array.from({ length: logProbs.length / columns }, (_, row) => {
    const own = logProbs[row * columns + column];
    const others = Array.from(logProbs.subarray(row * columns, (row + 1) * columns)).filter((_, at) => at !== column);
    if (others.length === 0) return 0;
    const top = Math.max(...others);
    return own - top - Math.log(others.reduce((sum, other) => sum + Math.exp(other - top), 0));
  });
}

/**
 * Maps what the windows were worth onto the ink.
 *
 * @param {Uint8Array} glyph
 * @param {readonly Window[]} windows
 * @param {readonly number[]} lost  What the character lost under each, nats; negative where it gained.
 * @returns {number[][]}  The mean over the windows that a pixel lies in, times how much of it is ink, nats: 28 rows of
 *   28.
 */
export function importance(glyph, windows, lost) {
  const total = new Float64Array(glyph.length);
  const count = new Uint8Array(glyph.length);
  windows.forEach((window, number) => {
    for (const at of pixelsOf(window)) {
      total[at] += lost[number];
      count[at] += 1;
    }
  });
  return Array.from({ length: GLYPH_PX }, (_, row) =>
    Array.from({ length: GLYPH_PX }, (_, column) => {
      const at = row * GLYPH_PX + column;
      return (total[at] / Math.max(count[at], 1)) * (glyph[at] / 255);
    }),
  );
}

/**
 * @param {Window} window
 * @returns {number[]}  Its pixels' places in the glyph.
 */
function pixelsOf([top, left]) {
  return Array.from({ length: WINDOW_PX ** 2 }, (_, number) => {
    const row = top + Math.floor(number / WINDOW_PX);
    return row * GLYPH_PX + left + (number % WINDOW_PX);
  });
}
