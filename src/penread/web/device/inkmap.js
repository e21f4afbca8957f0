// From a map of the ink of one character to its glyph, as penread/glyph.py's `from_ink_map` does it.

import { quantiles, roundHalfEven } from "./arrays.js";
import { BLUR_PX, GRID_PX, LONG_SIDE_PX, PEN_PX, blankGlyph, fromCoverage } from "./glyph.js";
import { dilate, distancesWithin } from "./morphology.js";
import { above, boxOf, strokeWidth } from "./paper.js";
import { crop, enlarge, show, shrink } from "./planes.js";

/** @typedef {import("./planes.js").FloatPlane} InkMap */

// The edge of the ink, and the last trace of it that is looked for around edges that are softer than this.
const EDGE = 0.5;
const LEAST_TRACE = 0.02;
const SOFT_PX = 0.7;
// Strokes of an image keep their width between these, as nearly all of EMNIST's do; thinner ones are drawn with the pen
// of ink. (The mean width by `strokeWidth`, on the grid.)
const THINNEST_PEN_PX = 5.2;
const THINNEST_SOFT_PEN_PX = 3.0;
const WIDEST_PEN_PX = 15.0;
/** Pixels of the finer grid that strokes are redrawn on, to each pixel of the grid. */
const FINE = 3;

/**
 * Turns a map of the ink of one character into its glyph.
 *
 * @param {InkMap} ink
 * @returns {Uint8Array}  All zeros where there is no ink.
 */
export function fromInkMap(ink) {
  const { left, top, right, bottom } = boxOf(ink, EDGE);
  if (right === left) return blankGlyph();
  const long = Math.max(bottom - top, right - left);
  const margin = 2 + Math.floor(long / 8);
  const own = crop(ink, left - margin, top - margin, right + margin, bottom + margin);
  const pen = (strokeWidth(own) * LONG_SIDE_PX) / long;
  const placed = place(own, EDGE);
  const softness = softnessOf(placed);
  // A soft picture is small, or one of EMNIST's own: what it shows is left as it is as long as that will do.
  const thinnest = softness < SOFT_PX ? THINNEST_PEN_PX : THINNEST_SOFT_PEN_PX;
  if (pen < thinnest || pen > WIDEST_PEN_PX) {
    return fromCoverage(place(withPen(own, pen, pen < thinnest ? PEN_PX : WIDEST_PEN_PX), EDGE));
  }
  const shown = softness >= SOFT_PX ? place(own, lastTrace(own)) : placed;
  return fromCoverage(shown, Math.sqrt(Math.max(BLUR_PX ** 2 - softness ** 2, 0)));
}

/**
 * Redraws a character with a wider or narrower pen, by moving its outline.
 *
 * @param {InkMap} ink  Cut to the character.
 * @param {number} pen  The width of its strokes, in pixels of the grid.
 * @param {number} wanted  The width that they shall have.
 * @returns {InkMap}  Some pixels to each pixel of the grid.
 */
function withPen(ink, pen, wanted) {
  // Fine enough for the thinnest line to stay.
  const finer = Math.max(FINE, Math.min(2 / Math.max(pen, 1e-3), 4 * FINE));
  const scale = (finer * LONG_SIDE_PX) / Math.max(ink.width, ink.height);
  const [across, down] = [ink.width, ink.height].map((side) => Math.max(roundHalfEven(side * scale), 1));
  const fine = scale < 1 ? shrink(ink, across, down) : enlarge(ink, across, down);
  const level = Math.min(EDGE, fine.data.reduce((most, own) => Math.max(most, own), -Infinity) / 2);
  const pad = roundHalfEven(finer * PEN_PX);
  const [width, height] = [across + 2 * pad, down + 2 * pad];
  const solid = new Uint8Array(width * height);
  for (let y = 0; y < down; y += 1) {
    for (let x = 0; x < across; x += 1) {
      if (fine.data[y * across + x] > level) solid[(y + pad) * width + x + pad] = 1;
    }
  }
  let grow = ((wanted - pen) * finer) / 2;
  const data = new Float32Array(solid.length);
  // Distances from the outline, above 0 inside. They matter on the side that it moves to; the other side stays ink, or
  // stays paper, and the least of them will do.
  if (grow >= 0) {
    const distances = distancesWithin({ data: solid.map((own) => 1 - own), width, height });
    for (let at = 0; at < data.length; at += 1) data[at] = clipped(solid[at] - distances[at] + grow + 0.5);
  } else {
    const distances = distancesWithin({ data: solid, width, height });
    // No stroke is worn away: half of the width of the thinnest stays.
    grow = Math.max(grow, -quantiles(peaks({ data: distances, width, height }), [0.05])[0] / 2);
    for (let at = 0; at < data.length; at += 1) data[at] = clipped(distances[at] - (1 - solid[at]) + grow + 0.5);
  }
  return { data, width, height };
}

/** @param {number} value */
function clipped(value) {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}

/**
 * @param {InkMap} distances
 * @returns {number[]}  What is above 0 and not below anything within two pixels.
 */
function peaks({ data, width, height }) {
  const found = [];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const own = data[y * width + x];
      if (own <= 0) continue;
      let isPeak = true;
      for (let near = Math.max(y - 2, 0); isPeak && near <= Math.min(y + 2, height - 1); near += 1) {
        for (let at = Math.max(x - 2, 0); at <= Math.min(x + 2, width - 1); at += 1) {
          if (data[near * width + at] > own) isPeak = false;
        }
      }
      if (isPeak) found.push(own);
    }
  }
  return found;
}

/**
 * Scales a character to the grid and centres it by its bounding box.
 *
 * @param {InkMap} ink
 * @param {number} level  What is ink by more than this counts for the box: `EDGE`, or less where soft edges do too.
 * @returns {Float64Array}  56 rows of 56, 0 to 1.
 */
function place(ink, level) {
  const { left, top, right, bottom } = boxOf(ink, level);
  const longSide = LONG_SIDE_PX + 2 * BLUR_PX * normalQuantile(1 - level);
  // The square of the image that the grid shows, soft edges and border included.
  const side = (Math.max(bottom - top, right - left) * GRID_PX) / longSide;
  const [x, y] = [(left + right - side) / 2, (top + bottom - side) / 2];
  const shown = show(ink, { left: x, top: y, right: x + side, bottom: y + side }, GRID_PX, GRID_PX);
  const coverage = new Float64Array(shown.data);
  for (let at = 0; at < coverage.length; at += 1) coverage[at] = clipped(coverage[at]);
  return coverage;
}

/**
 * Finds the level down to which soft edges stand out of the noise.
 *
 * @param {InkMap} ink
 */
function lastTrace(ink) {
  const { width, height, data } = ink;
  const reach = 2 * Math.max(roundHalfEven(Math.max(width, height) / 14), 1) + 1;
  const around = dilate(above(ink, EDGE), reach, reach).data;
  let noise = 0;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      // A picture that was cut out too close shows no trace beyond the edge.
      const isOut = around[at] === 0 || x === 0 || y === 0 || x === width - 1 || y === height - 1;
      if (isOut && data[at] > noise) noise = data[at];
    }
  }
  return Math.min(Math.max(1.2 * noise, LEAST_TRACE), EDGE);
}

/**
 * Estimates how blurred the edges of a character are: a standard deviation in pixels of the grid.
 *
 * @param {Float64Array} coverage
 */
function softnessOf(coverage) {
  /** @type {(at: number, place: number, step: number) => number} */
  const slope = (at, place, step) => {
    const before = place > 0 ? at - step : at;
    const after = place < GRID_PX - 1 ? at + step : at;
    return ((coverage[after] - coverage[before]) * step) / (after - before);
  };
  const edges = [];
  for (let row = 0, at = 0; row < GRID_PX; row += 1) {
    for (let column = 0; column < GRID_PX; column += 1, at += 1) {
      if (!(coverage[at] > 0.3 && coverage[at] < 0.7)) continue;
      edges.push(Math.hypot(slope(at, row, GRID_PX), slope(at, column, 1)));
    }
  }
  if (edges.length === 0) return 0;
  const [steepest] = quantiles(edges, [0.75]);
  return steepest >= 0.499 ? 0 : 1 / normalQuantile(0.5 + Math.max(steepest, 0.05));
}

/**
 * Gives the place below which so much of a normal distribution lies.
 *
 * @param {number} share  From a half to less than 1.
 */
function normalQuantile(share) {
  let x = 0;
  // From the middle on the distribution bends down: Newton's steps come nearer, never too far.
  for (let step = 0; step < 50; step += 1) {
    const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
    // The distribution as a series: x + x³/3 + x⁵/(3·5) + …, times the density.
    let [term, series] = [x, x];
    for (let odd = 3; term > 1e-17 * series; odd += 2) series += term *= (x * x) / odd;
    const move = (share - 0.5 - density * series) / density;
    if (!(move > 1e-14)) break;
    x += move;
  }
  return x;
}
