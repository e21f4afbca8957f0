// Upright boxes, which tell what has to be painted again.

/**
 * @typedef {import("./strokes.js").Point} Point
 *
 * @typedef {object} Box
 * @property {number} left
 * @property {number} top
 * @property {number} right
 * @property {number} bottom
 */

/**
 * Finds the box that holds discs around points.
 *
 * @param {readonly Point[]} points
 * @param {number} reach  The radius of the discs.
 * @returns {Box}
 */
export function boxAround(points, reach) {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const [x, y] of points) {
    box.left = Math.min(box.left, x - reach);
    box.top = Math.min(box.top, y - reach);
    box.right = Math.max(box.right, x + reach);
    box.bottom = Math.max(box.bottom, y + reach);
  }
  return box;
}

/**
 * @param {Box | null} one
 * @param {Box | null} other
 * @returns {Box | null} The box that holds both; null where there is neither.
 */
export function joinBoxes(one, other) {
  if (one === null || other === null) return one ?? other;
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

/**
 * @param {Box} one
 * @param {Box} other
 * @returns {boolean}
 */
export function doBoxesMeet(one, other) {
  return one.left <= other.right && other.left <= one.right && one.top <= other.bottom && other.top <= one.bottom;
}
