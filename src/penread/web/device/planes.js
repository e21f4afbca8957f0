// Operations on pictures of one channel: other sizes, blurs, medians. They do what OpenCV's and Pillow's do, edges and
// rounding included, for what is decided on pictures in Python is decided alike here.

import { roundHalfEven } from "./arrays.js";

/**
 * @typedef {object} Plane  One channel of a picture, row by row; or a mask, of 0 and 1.
 * @property {Uint8Array} data
 * @property {number} width
 * @property {number} height
 *
 * @typedef {object} FloatPlane
 * @property {Float32Array} data
 * @property {number} width
 * @property {number} height
 *
 * @typedef {object} Taps  What each place of a resized axis is made of.
 * @property {Int32Array} starts  For each place the first of its own in `sources` and `weights`; one more at the end.
 * @property {Int32Array} sources  Places of the axis as it was.
 * @property {Float64Array} weights
 *
 * @typedef {object} Linear  Places between two others.
 * @property {Int32Array} before  The place before, or at.
 * @property {Float64Array} part  How much of the next place there is.
 */

/** Weights that are less are left out, as in OpenCV. */
const LEAST_WEIGHT = 1e-3;
/** The bend of the cubic curves: OpenCV's and Pillow's. */
const CUBIC = -0.75;
const PILLOW_CUBIC = -0.5;

/**
 * Shrinks by the mean of what each pixel covers.
 *
 * @template {Plane | FloatPlane} P
 * @param {P} plane
 * @param {number} width  No more than the plane's.
 * @param {number} height
 * @returns {P}
 */
export function shrink(plane, width, height) {
  return resample(plane, areaTaps(plane.width, width), areaTaps(plane.height, height));
}

/**
 * Enlarges along cubic curves.
 *
 * @param {FloatPlane} plane
 * @param {number} width
 * @param {number} height
 * @returns {FloatPlane}
 */
export function enlarge(plane, width, height) {
  return resample(plane, cubicTaps(plane.width, width), cubicTaps(plane.height, height));
}

/**
 * Shows a rectangle of a plane in another size along cubic curves, as Pillow does: what is made smaller is blurred
 * before. What lies beyond the plane is 0.
 *
 * @param {FloatPlane} plane
 * @param {{ left: number, top: number, right: number, bottom: number }} box  Not within whole pixels.
 * @param {number} width
 * @param {number} height
 * @returns {FloatPlane}
 */
export function show(plane, { left, top, right, bottom }, width, height) {
  return resample(plane, boxTaps(left, right, plane.width, width), boxTaps(top, bottom, plane.height, height));
}

/**
 * @template {Plane | FloatPlane} P
 * @param {P} plane
 * @param {Taps} across
 * @param {Taps} down
 * @returns {P}
 */
function resample(plane, across, down) {
  const [width, height] = [across.starts.length - 1, down.starts.length - 1];
  const isBytes = plane.data instanceof Uint8Array;
  const data = isBytes ? new Uint8Array(width * height) : new Float32Array(width * height);
  // The rows that the last pixels were made of may be wanted again: so many are kept.
  let most = 1;
  for (let row = 0; row < height; row += 1) most = Math.max(most, down.starts[row + 1] - down.starts[row] + 1);
  const rows = Array.from({ length: most }, () => new Float64Array(width));
  const rowOf = new Int32Array(most).fill(-1);
  const total = new Float64Array(width);
  for (let row = 0; row < height; row += 1) {
    total.fill(0);
    for (let tap = down.starts[row]; tap < down.starts[row + 1]; tap += 1) {
      const source = down.sources[tap];
      const own = rows[source % most];
      if (rowOf[source % most] !== source) {
        rowOf[source % most] = source;
        acrossRow(plane.data, source * plane.width, across, own);
      }
      const weight = down.weights[tap];
      for (let column = 0; column < width; column += 1) total[column] += weight * own[column];
    }
    const start = row * width;
    if (isBytes) {
      for (let column = 0; column < width; column += 1) data[start + column] = roundHalfEven(total[column]);
    } else {
      data.set(total, start);
    }
  }
  return /** @type {P} */ ({ data, width, height });
}

/**
 * @param {Uint8Array | Float32Array} data
 * @param {number} start  Of the row.
 * @param {Taps} across
 * @param {Float64Array} into
 */
function acrossRow(data, start, { starts, sources, weights }, into) {
  for (let column = 0; column < into.length; column += 1) {
    let total = 0;
    for (let tap = starts[column]; tap < starts[column + 1]; tap += 1) total += weights[tap] * data[start + sources[tap]];
    into[column] = total;
  }
}

/**
 * @param {number} from
 * @param {number} to
 * @returns {Taps}
 */
function areaTaps(from, to) {
  const scale = from / to;
  return gather(to, (place, put) => {
    const [begin, end] = [place * scale, place * scale + scale];
    const size = Math.min(scale, from - begin);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(begin), last);
    if (first - begin > LEAST_WEIGHT) put(first - 1, (first - begin) / size);
    for (let source = first; source < last; source += 1) put(source, 1 / size);
    if (end - last > LEAST_WEIGHT) put(last, Math.min(end - last, 1, size) / size);
  });
}

/**
 * @param {number} from
 * @param {number} to
 * @returns {Taps}
 */
function cubicTaps(from, to) {
  const scale = from / to;
  return gather(to, (place, put) => {
    const at = (place + 0.5) * scale - 0.5;
    const before = Math.floor(at);
    for (let source = before - 1; source <= before + 2; source += 1) {
      put(Math.min(Math.max(source, 0), from - 1), cubic(source - at, CUBIC));
    }
  });
}

/**
 * @param {number} begin
 * @param {number} end
 * @param {number} from
 * @param {number} to
 * @returns {Taps}
 */
function boxTaps(begin, end, from, to) {
  const scale = (end - begin) / to;
  const wide = Math.max(scale, 1);
  // Beyond the plane there is paper, as far as the rectangle reaches, in whole pixels.
  const pad = Math.max(Math.ceil(Math.max(-begin, end - from)), 0);
  return gather(to, (place, put) => {
    const middle = begin + pad + (place + 0.5) * scale;
    const first = Math.max(Math.floor(middle - 2 * wide + 0.5), 0);
    const last = Math.min(Math.floor(middle + 2 * wide + 0.5), from + 2 * pad);
    let total = 0;
    for (let source = first; source < last; source += 1) total += cubic((source + 0.5 - middle) / wide, PILLOW_CUBIC);
    for (let source = first; source < last; source += 1) {
      const weight = cubic((source + 0.5 - middle) / wide, PILLOW_CUBIC) / total;
      if (source >= pad && source < pad + from) put(source - pad, weight);
    }
  });
}

/**
 * @param {number} distance
 * @param {number} bend
 */
function cubic(distance, bend) {
  const x = Math.abs(distance);
  if (x < 1) return ((bend + 2) * x - (bend + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * bend : 0;
}

/**
 * @param {number} count
 * @param {(place: number, put: (source: number, weight: number) => void) => void} each
 * @returns {Taps}
 */
function gather(count, each) {
  const starts = new Int32Array(count + 1);
  /** @type {number[]} */
  const sources = [];
  /** @type {number[]} */
  const weights = [];
  for (let place = 0; place < count; place += 1) {
    each(place, (source, weight) => {
      sources.push(source);
      weights.push(weight);
    });
    starts[place + 1] = sources.length;
  }
  return { starts, sources: Int32Array.from(sources), weights: Float64Array.from(weights) };
}

/**
 * Gives the places of an axis that is resized along straight lines.
 *
 * @param {number} from
 * @param {number} to
 * @returns {Linear}
 */
export function linearPlaces(from, to) {
  const [before, part] = [new Int32Array(to), new Float64Array(to)];
  for (let place = 0; place < to; place += 1) {
    const at = Math.min(Math.max(((place + 0.5) * from) / to - 0.5, 0), from - 1);
    before[place] = Math.floor(at);
    part[place] = at - before[place];
  }
  return { before, part };
}

/**
 * Gives one row of a plane that is resized along straight lines.
 *
 * @param {Plane} plane
 * @param {Linear} across
 * @param {Linear} down
 * @param {number} row
 * @param {Uint8Array} into
 */
export function linearRow({ data, width, height }, across, down, row, into) {
  const above = down.before[row] * width;
  const below = Math.min(down.before[row] + 1, height - 1) * width;
  const lower = down.part[row];
  for (let column = 0; column < into.length; column += 1) {
    const left = across.before[column];
    const right = left + 1 < width ? left + 1 : left;
    const part = across.part[column];
    const upper = data[above + left] + (data[above + right] - data[above + left]) * part;
    const under = data[below + left] + (data[below + right] - data[below + left]) * part;
    into[column] = upper + (under - upper) * lower + 0.5;
  }
}

/**
 * Resizes along straight lines.
 *
 * @param {Plane} plane
 * @param {number} width
 * @param {number} height
 * @returns {Plane}
 */
export function resizeLinear(plane, width, height) {
  const data = new Uint8Array(width * height);
  const [across, down] = [linearPlaces(plane.width, width), linearPlaces(plane.height, height)];
  for (let row = 0; row < height; row += 1) {
    linearRow(plane, across, down, row, data.subarray(row * width, (row + 1) * width));
  }
  return { data, width, height };
}

/**
 * Resizes, each pixel as the nearest was.
 *
 * @param {Plane} plane
 * @param {number} width
 * @param {number} height
 * @returns {Plane}
 */
export function resizeNearest(plane, width, height) {
  const data = new Uint8Array(width * height);
  const columns = new Int32Array(width);
  for (let column = 0; column < width; column += 1) {
    columns[column] = Math.min(Math.floor((column * plane.width) / width), plane.width - 1);
  }
  for (let row = 0; row < height; row += 1) {
    const start = Math.min(Math.floor((row * plane.height) / height), plane.height - 1) * plane.width;
    for (let column = 0; column < width; column += 1) data[row * width + column] = plane.data[start + columns[column]];
  }
  return { data, width, height };
}

/**
 * Gives the median of the square around each pixel; beyond the edge it goes on as it is there.
 *
 * @param {Plane} plane
 * @param {number} side  Odd.
 * @returns {Plane}
 */
export function medianBlur({ data, width, height }, side) {
  const reach = side >> 1;
  const half = (side * side) >> 1;
  const blurred = new Uint8Array(data.length);
  const counts = new Int32Array(256);
  const rows = new Int32Array(side);
  for (let y = 0; y < height; y += 1) {
    for (let down = 0; down < side; down += 1) rows[down] = Math.min(Math.max(y + down - reach, 0), height - 1) * width;
    counts.fill(0);
    for (let column = -reach; column <= reach; column += 1) {
      const x = Math.min(Math.max(column, 0), width - 1);
      for (const row of rows) counts[data[row + x]] += 1;
    }
    // The median is the lowest level that has, with those below it, more than half; `below` counts those below it.
    let [median, below] = [0, 0];
    for (let x = 0; x < width; x += 1) {
      if (x > 0) {
        const gone = Math.max(x - 1 - reach, 0);
        const come = Math.min(x + reach, width - 1);
        for (let down = 0; down < side; down += 1) {
          const [old, young] = [data[rows[down] + gone], data[rows[down] + come]];
          counts[old] -= 1;
          counts[young] += 1;
          if (old < median) below -= 1;
          if (young < median) below += 1;
        }
      }
      while (below > half) below -= counts[(median -= 1)];
      while (below + counts[median] <= half) below += counts[median++];
      blurred[y * width + x] = median;
    }
  }
  return { data: blurred, width, height };
}

/**
 * Gives the mean of the square around each pixel; beyond the edge it goes on as it is there.
 *
 * @param {Plane} plane
 * @param {number} side  Odd.
 * @returns {Plane}
 */
export function boxBlur({ data, width, height }, side) {
  const across = new Int32Array(data.length);
  const blurred = new Uint8Array(data.length);
  for (let y = 0; y < height; y += 1) slideSum(data, y * width, 1, width, side, across);
  const down = new Int32Array(data.length);
  for (let x = 0; x < width; x += 1) slideSum(across, x, width, height, side, down);
  for (let at = 0; at < data.length; at += 1) blurred[at] = roundHalfEven(down[at] / (side * side));
  return { data: blurred, width, height };
}

/**
 * @param {Uint8Array | Int32Array} from
 * @param {number} start
 * @param {number} step
 * @param {number} count
 * @param {number} side
 * @param {Int32Array} into
 */
function slideSum(from, start, step, count, side, into) {
  const reach = side >> 1;
  /** @type {(place: number) => number} */
  const at = (place) => from[start + Math.min(Math.max(place, 0), count - 1) * step];
  let total = 0;
  for (let place = -reach; place <= reach; place += 1) total += at(place);
  for (let place = 0; place < count; place += 1) {
    into[start + place * step] = total;
    total += at(place + 1 + reach) - at(place - reach);
  }
}

/**
 * @template {Plane | FloatPlane} P
 * @param {P} plane
 * @returns {P}  Its rows are the columns.
 */
export function transpose({ data, width, height }) {
  const turned = data instanceof Uint8Array ? new Uint8Array(data.length) : new Float32Array(data.length);
  // In tiles, which stay near the processor.
  const side = 32;
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      const [bottom, right] = [Math.min(top + side, height), Math.min(left + side, width)];
      for (let y = top; y < bottom; y += 1) {
        for (let x = left; x < right; x += 1) turned[x * height + y] = data[y * width + x];
      }
    }
  }
  return /** @type {P} */ ({ data: turned, width: height, height: width });
}

/**
 * Cuts a rectangle out.
 *
 * @template {Plane | FloatPlane} P
 * @param {P} plane
 * @param {number} left
 * @param {number} top
 * @param {number} right  Outside; what is beyond the plane is left out.
 * @param {number} bottom
 * @returns {P}
 */
export function crop({ data, width, height }, left, top, right, bottom) {
  const [x, y] = [Math.max(left, 0), Math.max(top, 0)];
  const [across, down] = [Math.max(Math.min(right, width) - x, 0), Math.max(Math.min(bottom, height) - y, 0)];
  const cut = data instanceof Uint8Array ? new Uint8Array(across * down) : new Float32Array(across * down);
  for (let row = 0; row < down; row += 1) {
    const start = (y + row) * width + x;
    cut.set(data.subarray(start, start + across), row * across);
  }
  return /** @type {P} */ ({ data: cut, width: across, height: down });
}
