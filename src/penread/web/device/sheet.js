// A sheet or card of paper on another ground, found by its outline: the last part of penread/paper.py's `_sheet`.

import { components } from "./morphology.js";

/**
 * @typedef {import("./planes.js").Plane} Plane
 * @typedef {readonly [x: number, y: number]} Point
 *
 * @typedef {object} Hull  The outline of the largest shape of a mask, without its bays.
 * @property {number} area  Within the middles of its pixels.
 * @property {number} around  The area of the smallest rectangle around it, turned as it may be.
 * @property {Plane} mask  What is in it.
 */

/** The eight neighbours of a pixel, clockwise from the right.
 * @type {readonly Point[]} */
const NEIGHBOURS = [[1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1]];

/**
 * Finds the largest shape of a mask, by the area that its outline has.
 *
 * @param {Plane} mask
 * @returns {Hull | null}  Null where the mask is empty.
 */
export function largestHull(mask) {
  const { count, labels, left, top } = components(mask);
  /** @type {Point[]} */
  let largest = [];
  let most = -1;
  for (let label = 1; label < count; label += 1) {
    const start = labels.indexOf(label, top[label] * mask.width + left[label]);
    const outline = follow(labels, mask, label, start);
    const area = areaOf(outline);
    if (area > most) [largest, most] = [outline, area];
  }
  if (most < 0) return null;
  const hull = convexHull(largest);
  return { area: areaOf(hull), around: leastRectangle(hull), mask: fill(hull, mask.width, mask.height) };
}

/**
 * Follows the outline of a component, with the hand on the wall.
 *
 * @param {Int32Array} labels
 * @param {{ width: number, height: number }} size
 * @param {number} label
 * @param {number} start  The place of its first pixel.
 * @returns {Point[]}
 */
function follow(labels, { width, height }, label, start) {
  /** @type {(x: number, y: number) => boolean} */
  const isIn = (x, y) => x >= 0 && y >= 0 && x < width && y < height && labels[y * width + x] === label;
  let [x, y] = [start % width, Math.floor(start / width)];
  /** @type {Point[]} */
  const outline = [[x, y]];
  // It came from above, where there is nothing.
  let heading = 0;
  /** @type {number | null} */
  let firstStep = null;
  for (;;) {
    let step = -1;
    for (let turn = 0; turn < NEIGHBOURS.length && step < 0; turn += 1) {
      const direction = (heading + 5 + turn) % NEIGHBOURS.length;
      if (isIn(x + NEIGHBOURS[direction][0], y + NEIGHBOURS[direction][1])) step = direction;
    }
    if (step < 0) return outline;
    if (y * width + x === start) {
      if (step === firstStep) return outline;
      firstStep ??= step;
    }
    [x, y, heading] = [x + NEIGHBOURS[step][0], y + NEIGHBOURS[step][1], step];
    outline.push([x, y]);
  }
}

/** @param {readonly Point[]} polygon */
function areaOf(polygon) {
  const twice = polygon.reduce((sum, [x, y], at) => {
    const [nextX, nextY] = polygon[(at + 1) % polygon.length];
    return sum + x * nextY - nextX * y;
  }, 0);
  return Math.abs(twice) / 2;
}

/**
 * @param {readonly Point[]} points
 * @returns {Point[]}
 */
function convexHull(points) {
  const sorted = [...points].sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  /** @type {(points: readonly Point[]) => Point[]} */
  const half = (inOrder) => {
    /** @type {Point[]} */
    const chain = [];
    for (const point of inOrder) {
      while (chain.length > 1 && turn(chain[chain.length - 2], chain[chain.length - 1], point) <= 0) chain.pop();
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  const hull = [...half(sorted), ...half(sorted.reverse())];
  return hull.length > 0 ? hull : [points[0]];
}

/**
 * @param {Point} one
 * @param {Point} two
 * @param {Point} three
 */
function turn(one, two, three) {
  return (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0]);
}

/**
 * Gives the area of the smallest rectangle around a hull: one of its sides lies on one of the hull's.
 *
 * @param {readonly Point[]} hull
 */
function leastRectangle(hull) {
  let least = Infinity;
  hull.forEach(([x, y], at) => {
    const [nextX, nextY] = hull[(at + 1) % hull.length];
    const length = Math.hypot(nextX - x, nextY - y);
    if (length === 0) return;
    const [alongX, alongY] = [(nextX - x) / length, (nextY - y) / length];
    const along = hull.map((point) => point[0] * alongX + point[1] * alongY);
    const across = hull.map((point) => point[1] * alongX - point[0] * alongY);
    const extents = [along, across].map((values) => Math.max(...values) - Math.min(...values));
    least = Math.min(least, extents[0] * extents[1]);
  });
  return least === Infinity ? 0 : least;
}

/**
 * Fills a hull, its edges too.
 *
 * @param {readonly Point[]} hull
 * @param {number} width
 * @param {number} height
 * @returns {Plane}
 */
function fill(hull, width, height) {
  const [first, last] = [new Int32Array(height).fill(width), new Int32Array(height).fill(-1)];
  hull.forEach(([x, y], at) => {
    const [nextX, nextY] = hull[(at + 1) % hull.length];
    const steps = Math.max(Math.abs(nextX - x), Math.abs(nextY - y), 1);
    for (let step = 0; step <= steps; step += 1) {
      const row = Math.round(y + ((nextY - y) * step) / steps);
      const column = Math.round(x + ((nextX - x) * step) / steps);
      first[row] = Math.min(first[row], column);
      last[row] = Math.max(last[row], column);
    }
  });
  const data = new Uint8Array(width * height);
  for (let row = 0; row < height; row += 1) {
    if (last[row] >= first[row]) data.fill(1, row * width + first[row], row * width + last[row] + 1);
  }
  return { data, width, height };
}
