// Strokes drawn as a glyph, as penread/ink.py does: the pen has one width whatever the size of the drawing.

import { GRID_PX, LONG_SIDE_PX, PEN_PX, blankGlyph, fromCoverage } from "./glyph.js";

/** @typedef {import("../strokes.js").Stroke} Stroke */

/** Coordinates are within this of zero. */
export const MAX_COORDINATE = 1e6;

// What is smaller, all in all, is a dot: coordinates may be so far from zero that they are no more exact.
const MIN_EXTENT = 1e-9;
// The pen comes down as a disc this often along a stroke, on the grid; its edge is then true to 0.02 pixels.
const STEP_PX = 0.5;
// It comes down in places of so many parts of a pixel: strokes that were gone over again and again put it down in the
// same ones, and once will do.
const PARTS = 8;

/** What was given to be read is no ink, or no character of the charset. */
export class InputError extends Error {}

/**
 * Draws strokes as a glyph, the way EMNIST's look.
 *
 * @param {readonly Stroke[]} strokes  In any unit, y downward; strokes without points count for nothing.
 * @returns {Uint8Array}  28 rows of 28, ink 255 on 0.
 * @throws {InputError}  A coordinate isn't finite or is beyond MAX_COORDINATE.
 */
export function drawGlyph(strokes) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const stroke of strokes) {
    for (const point of stroke) {
      for (const axis of [0, 1]) {
        const at = point[axis];
        if (!(Math.abs(at) <= MAX_COORDINATE)) {
          throw new InputError(`A coordinate is ${at}: it must be within ±${MAX_COORDINATE}.`);
        }
        if (at < low[axis]) low[axis] = at;
        if (at > high[axis]) high[axis] = at;
      }
    }
  }
  const extent = Math.max(high[0] - low[0], high[1] - low[1]);
  if (extent === -Infinity) return blankGlyph();
  // The strokes' long side and the width of the pen make the character's long side. A dot has no extent.
  const scale = extent > MIN_EXTENT ? (LONG_SIDE_PX - PEN_PX) / extent : 0;
  const middleX = (low[0] + high[0]) / 2;
  const middleY = (low[1] + high[1]) / 2;

  const pen = new RoundPen();
  for (const stroke of strokes) {
    let fromX = 0;
    let fromY = 0;
    stroke.forEach((point, index) => {
      const x = (point[0] - middleX) * scale + GRID_PX / 2;
      const y = (point[1] - middleY) * scale + GRID_PX / 2;
      if (index > 0) pen.draw(fromX, fromY, x - fromX, y - fromY);
      fromX = x;
      fromY = y;
    });
    if (stroke.length > 0) pen.put(fromX, fromY);
  }
  return fromCoverage(pen.coverage());
}

/** A round pen on the grid, and what it leaves there. */
class RoundPen {
  /** How far its edge reaches, with the half pixel over which it fades. */
  #reach = PEN_PX / 2 + 0.5;
  #window = Math.ceil(2 * this.#reach) + 1;
  /** The places where it came down already. */
  #places = new Uint8Array((PARTS * GRID_PX) ** 2);
  /** The square of each pixel's distance to the nearest place. */
  #nearest = new Float64Array(GRID_PX * GRID_PX).fill(Infinity);

  /**
   * Goes along a line, whose end is left to the next.
   *
   * @param {number} x
   * @param {number} y
   * @param {number} stepX
   * @param {number} stepY
   */
  draw(x, y, stepX, stepY) {
    const pieces = Math.ceil(Math.sqrt(stepX * stepX + stepY * stepY) / STEP_PX);
    for (let piece = 0; piece < pieces; piece += 1) {
      const part = piece / pieces;
      this.put(x + stepX * part, y + stepY * part);
    }
  }

  /**
   * Comes down once.
   *
   * @param {number} x
   * @param {number} y
   */
  put(x, y) {
    const column = Math.floor(x * PARTS + 0.5);
    const row = Math.floor(y * PARTS + 0.5);
    const place = row * PARTS * GRID_PX + column;
    if (this.#places[place] === 1) return;
    this.#places[place] = 1;

    const nearest = this.#nearest;
    const penX = column / PARTS;
    const penY = row / PARTS;
    const left = Math.max(Math.floor(penX - this.#reach), 0);
    const top = Math.max(Math.floor(penY - this.#reach), 0);
    const right = Math.min(left + this.#window, GRID_PX);
    const bottom = Math.min(top + this.#window, GRID_PX);
    for (let pixelY = top; pixelY < bottom; pixelY += 1) {
      const squaredY = (pixelY + 0.5 - penY) ** 2;
      for (let pixelX = left; pixelX < right; pixelX += 1) {
        const squared = (pixelX + 0.5 - penX) ** 2 + squaredY;
        const at = pixelY * GRID_PX + pixelX;
        if (squared < nearest[at]) nearest[at] = squared;
      }
    }
  }

  /** @returns {Float64Array}  The part of each pixel of the grid that is ink. */
  coverage() {
    return this.#nearest.map((squared) => Math.min(Math.max(this.#reach - Math.sqrt(squared), 0), 1));
  }
}
