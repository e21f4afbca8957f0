// What all glyphs share, as penread/glyph.py has it: 28 by 28 grey levels, ink 255 on 0, upright, the way EMNIST's
// look. See docs/architecture.md for where the numbers come from.

/** Width and height of a glyph. */
export const GLYPH_PX = 28;
/** Width and height of the grid that a character is drawn on before it is blurred and halved. */
export const GRID_PX = 2 * GLYPH_PX;
/** The longer side of the character on that grid. */
export const LONG_SIDE_PX = 45;
/** Width of the pen on that grid. */
export const PEN_PX = 5.6;
/** Standard deviation of the blur on that grid. */
export const BLUR_PX = 1;

// The length of the foot that parts L from l, as a part of the height.
const FOOT = 0.33;

/** @returns {Uint8Array}  The glyph of no ink at all. */
export function blankGlyph() {
  return new Uint8Array(GLYPH_PX * GLYPH_PX);
}

/**
 * Blurs and halves a character drawn on the grid: the last step of every glyph.
 *
 * @param {Float64Array} coverage  56 rows of 56, from 0 for paper to 1 for ink.
 * @param {number} [blurPx]  Standard deviation of the blur; less for a character whose edges are soft already.
 * @returns {Uint8Array}  The glyph, scaled so that its darkest pixel is 255.
 */
export function fromCoverage(coverage, blurPx = BLUR_PX) {
  const blurAndHalve = blurPx === BLUR_PX ? BLUR_AND_HALVE : makeBlurAndHalve(blurPx);
  // Down first, then across: the blur is the same along both.
  const down = new Float64Array(GLYPH_PX * GRID_PX);
  for (let row = 0; row < GLYPH_PX; row += 1) {
    const { first, weights } = blurAndHalve[row];
    for (let tap = 0; tap < weights.length; tap += 1) {
      const from = (first + tap) * GRID_PX;
      for (let column = 0; column < GRID_PX; column += 1) {
        down[row * GRID_PX + column] += weights[tap] * coverage[from + column];
      }
    }
  }
  const blurred = new Float64Array(GLYPH_PX * GLYPH_PX);
  let darkest = 0;
  for (let row = 0; row < GLYPH_PX; row += 1) {
    for (let column = 0; column < GLYPH_PX; column += 1) {
      const { first, weights } = blurAndHalve[column];
      let sum = 0;
      for (let tap = 0; tap < weights.length; tap += 1) sum += weights[tap] * down[row * GRID_PX + first + tap];
      blurred[row * GLYPH_PX + column] = sum;
      darkest = Math.max(darkest, sum);
    }
  }
  const glyph = blankGlyph();
  if (darkest > 0) {
    const scale = 255 / darkest;
    blurred.forEach((level, at) => {
      glyph[at] = Math.floor(level * scale + 0.5);
    });
  }
  return glyph;
}

/**
 * What a pixel of a side of the glyph is made of: the first of its pixels of the grid, and the weights of these and the
 * next ones.
 *
 * @typedef {{ first: number, weights: Float64Array }} Taps
 */

/** For each pixel of a side of the glyph: a blur, and the mean of each two pixels. */
const BLUR_AND_HALVE = makeBlurAndHalve(BLUR_PX);

/**
 * @param {number} blurPx
 * @returns {Taps[]}
 */
function makeBlurAndHalve(blurPx) {
  /** @type {(distance: number) => number} */
  const bell = (distance) => (blurPx < 0.1 ? Number(distance === 0) : Math.exp(-0.5 * (distance / blurPx) ** 2));
  let total = 0;
  for (let distance = -GRID_PX; distance <= GRID_PX; distance += 1) total += bell(distance);
  return Array.from({ length: GLYPH_PX }, (_, to) => {
    const all = Float64Array.from({ length: GRID_PX }, (_tap, from) => {
      return (bell(2 * to - from) + bell(2 * to + 1 - from)) / 2 / total;
    });
    /** @type {(weight: number) => boolean} */
    const counts = (weight) => weight > 1e-16;
    const first = all.findIndex(counts);
    return { first, weights: all.slice(first, all.findLastIndex(counts) + 1) };
  });
}

/**
 * Tells the two shapes of EMNIST's class L apart: L has a foot, l is a bar, perhaps with a tail.
 *
 * @param {Uint8Array} glyph  28 rows of 28, of anything.
 * @returns {[capital: number, small: number]}  Log-probabilities of L and of l, were it one of them.
 */
export function logCaseOfL(glyph) {
  /** @type {(row: number, column: number) => boolean} */
  const isInk = (row, column) => glyph[row * GLYPH_PX + column] > 127;
  let top = -1;
  let height = 0;
  for (let row = 0; row < GLYPH_PX; row += 1) {
    let isInked = false;
    for (let column = 0; column < GLYPH_PX; column += 1) isInked ||= isInk(row, column);
    if (!isInked) continue;
    if (top < 0) top = row;
    height += 1;
  }
  top = Math.max(top, 0);
  height = Math.max(height, 1);

  // The stem is a straight line through the upper part; the foot is how far the lowest part goes to its right.
  const stem = new Moments();
  for (let row = 0; row < GLYPH_PX; row += 1) {
    const down = (row - top) / height;
    if (down < 0 || down >= 0.65) continue;
    for (let column = 0; column < GLYPH_PX; column += 1) if (isInk(row, column)) stem.add(column, row);
  }
  const [x, y, lean] = stem.line();
  let foot = 0;
  for (let row = 0; row < GLYPH_PX; row += 1) {
    const down = (row - top) / height;
    if (down < 0.75 || down > 1) continue;
    for (let column = 0; column < GLYPH_PX; column += 1) {
      if (isInk(row, column)) foot = Math.max(foot, column - x - lean * (row - y));
    }
  }
  const isCapital = Math.min(Math.max(1 / (1 + Math.exp(-(foot / height - FOOT) / 0.04)), 0.02), 0.98);
  return [Math.log(isCapital), Math.log(1 - isCapital)];
}

/** A straight line through points: sums of whole numbers, so nothing is rounded until the end. */
class Moments {
  count = 0;
  x = 0;
  y = 0;
  xy = 0;
  yy = 0;

  /**
   * @param {number} x
   * @param {number} y
   */
  add(x, y) {
    this.count += 1;
    this.x += x;
    this.y += y;
    this.xy += x * y;
    this.yy += y * y;
  }

  /** @returns {[x: number, y: number, lean: number]}  The middle, and how far x goes with each y. */
  line() {
    const count = Math.max(this.count, 1);
    const x = this.x / count;
    const y = this.y / count;
    return [x, y, (this.xy - this.x * y) / Math.max(this.yy - this.y * y, 1e-9)];
  }
}
