// What a drawing is, and how it is made ready to send: plain functions on points, without the page.

/**
 * @typedef {[x: number, y: number]} Point  y grows downwards.
 * @typedef {Point[]} Stroke  What one touch of the pen drew; a single point is a dot.
 *
 * @typedef {object} InkStroke  A stroke as the drawing area keeps it.
 * @property {Stroke} points  In units of the canvas side.
 * @property {number} width  The pen's, in the same unit.
 * @property {number[] | null} swells  The part of the pen's width that each point has; null where all have all of it.
 */

/** The pen's width unless another was chosen, in units of the canvas side. */
export const PEN_WIDTH = 0.042;

/** The server takes no more than this in one drawing. */
export const MAX_STROKES = 1000;
export const MAX_POINTS = 20_000;

/** Points nearer to each other than this, in CSS pixels, show no difference. */
const MIN_STEP = 0.7;

/**
 * Drops the points that add nothing, and rounds the rest to a tenth of a pixel. The ends of every
 * stroke stay.
 *
 * @param {readonly Stroke[]} strokes  In CSS pixels.
 * @returns {Stroke[]}
 */
export function thin(strokes) {
  return strokes.map((stroke) => {
    /** @type {Stroke} */
    const kept = [];
    stroke.forEach(([x, y], index) => {
      const last = kept.at(-1);
      const near = last !== undefined && Math.hypot(x - last[0], y - last[1]) < MIN_STEP;
      if (near && index < stroke.length - 1) return;
      // The end of the stroke takes the place of a kept point it nearly touches, but never of the start.
      if (near && kept.length > 1) kept.pop();
      kept.push([roundToTenth(x), roundToTenth(y)]);
    });
    return kept;
  });
}

/**
 * Makes a tap the dot that it was meant to be. A finger slips a little when it taps, and drawn ink has no size: alone,
 * the smallest slip is as long a stroke as any. A hand slips no less with a thin pen.
 *
 * @param {InkStroke} stroke
 * @returns {InkStroke} The stroke itself where it goes anywhere.
 */
export function settle(stroke) {
  const { points, width, swells } = stroke;
  const [[startX, startY]] = points;
  const reach = Math.max(width, PEN_WIDTH) / 3;
  if (points.length === 1 || points.some(([x, y]) => Math.hypot(x - startX, y - startY) > reach)) return stroke;
  return { points: [points[0]], width, swells: swells === null ? null : [Math.max(...swells)] };
}

/**
 * Tells whether the server would refuse the drawing for its size.
 *
 * @param {readonly Stroke[]} strokes
 * @returns {boolean}
 */
export function exceedsLimits(strokes) {
  const points = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  return strokes.length > MAX_STROKES || points > MAX_POINTS;
}

/**
 * Tells whether a point lies on the unit square.
 *
 * @param {Point} point
 * @returns {boolean}
 */
export function isInside([x, y]) {
  return x >= 0 && x <= 1 && y >= 0 && y <= 1;
}

/**
 * Finds where a line leaves the unit square.
 *
 * @param {Point} inside
 * @param {Point} outside
 * @returns {Point}
 */
export function findCrossing(inside, outside) {
  const part = Math.min(
    ...[0, 1].map((axis) => {
      const from = inside[axis];
      const to = outside[axis];
      if (to < 0) return from / (from - to);
      if (to > 1) return (1 - from) / (to - from);
      return 1;
    }),
  );
  return [inside[0] + (outside[0] - inside[0]) * part, inside[1] + (outside[1] - inside[1]) * part];
}

/** @param {number} value */
function roundToTenth(value) {
  return Math.round(value * 10) / 10;
}
