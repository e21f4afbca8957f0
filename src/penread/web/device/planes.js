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
 * @property {Int32Array} part  How much of the next place there is, `ONE` for all.
 */

/** Weights that are less are left out, as in OpenCV. */
const LEAST_WEIGHT = 1e-3;
// Between two levels is reckoned in whole numbers, as OpenCV does: bits of a part along one axis, and along both.
const ONE = 1 << 11;
const ALL_BITS = 22;
const HALF_OF_ALL = 1 << (ALL_BITS - 1);
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
  const [across, down] = [areaTaps(plane.width, width), areaTaps(plane.height, height)];
  return resample(plane, across, down, addUpRow);
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
  return resample(plane, cubicTaps(plane.width, width), cubicTaps(plane.height, height), weighRow);
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
  const [across, down] = [boxTaps(left, right, plane.width, width), boxTaps(top, bottom, plane.height, height)];
  return resample(plane, across, down, weighRow);
}

/**
 * @template {Plane | FloatPlane} P
 * @param {P} plane
 * @param {Taps} across
 * @param {Taps} down
 * @param {typeof weighRow} addRow
 * @returns {P}
 */
function resample(plane, across, down, addRow) {
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
        addRow(plane.data, source * plane.width, across, own);
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
function weighRow(data, start, { starts, sources, weights }, into) {
  for (let column = 0; column < into.length; column += 1) {
    const end = starts[column + 1];
    let total = 0;
    for (let tap = starts[column]; tap < end; tap += 1) total += weights[tap] * data[start + sources[tap]];
    into[column] = total;
  }
}

/**
 * Does the same where all sources of a place lie side by side, and all but the outer ones weigh the same.
 *
 * @param {Uint8Array | Float32Array} data
 * @param {number} start  Of the row.
 * @param {Taps} across
 * @param {Float64Array} into
 */
function addUpRow(data, start, { starts, sources, weights }, into) {
  for (let column = 0; column < into.length; column += 1) {
    const [first, last] = [starts[column], starts[column + 1] - 1];
    const [from, to] = [start + sources[first], start + sources[last]];
    let total = 0;
    for (let at = from + 1; at < to; at += 1) total += data[at];
    if (to > from) total = total * weights[first + 1] + data[to] * weights[last];
    into[column] = total + data[from] * weights[first];
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
    const weights = [];
    let total = 0;
    for (let source = first; source < last; source += 1) {
      const weight = cubic((source + 0.5 - middle) / wide, PILLOW_CUBIC);
      weights.push(weight);
      total += weight;
    }
    for (let source = Math.max(first, pad); source < Math.min(last, pad + from); source += 1) {
      put(source - pad, weights[source - first] / total);
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
function linearPlaces(from, to) {
  const [before, part] = [new Int32Array(to), new Int32Array(to)];
  for (let place = 0; place < to; place += 1) {
    const at = Math.min(Math.max(((place + 0.5) * from) / to - 0.5, 0), from - 1);
    before[place] = Math.floor(at);
    part[place] = roundHalfEven((at - before[place]) * ONE);
  }
  return { before, part };
}

/**
 * Gives what gives the rows of a plane that is resized along straight lines.
 *
 * @param {Plane} plane
 * @param {number} width
 * @param {number} height
 * @returns {(row: number, into: Uint8Array) => void}
 */
export function linearRows({ data, width: from, height: fromHeight }, width, height) {
  const [across, down] = [linearPlaces(from, width), linearPlaces(fromHeight, height)];
  // Between two rows; the last column goes on.
  const between = new Int32Array(from + 1);
  return (row, into) => {
    const above = down.before[row] * from;
    const below = Math.min(down.before[row] + 1, fromHeight - 1) * from;
    const part = down.part[row];
    for (let x = 0; x < from; x += 1) between[x] = data[above + x] * (ONE - part) + data[below + x] * part;
    between[from] = between[from - 1];
    const { before, part: right } = across;
    for (let x = 0; x < width; x += 1) {
      const left = between[before[x]];
      into[x] = (Math.imul(left, ONE) + Math.imul(between[before[x] + 1] - left, right[x]) + HALF_OF_ALL) >> ALL_BITS;
    }
  };
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
  const give = linearRows(plane, width, height);
  for (let row = 0; row < height; row += 1) give(row, data.subarray(row * width, (row + 1) * width));
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
  // Rounded twice, as OpenCV does it.
  const [scaleX, scaleY] = [1 / (width / plane.width), 1 / (height / plane.height)];
  const columns = new Int32Array(width);
  for (let column = 0; column < width; column += 1) {
    columns[column] = Math.min(Math.floor(column * scaleX), plane.width - 1);
  }
  for (let row = 0; row < height; row += 1) {
    const start = Math.min(Math.floor(row * scaleY), plane.height - 1) * plane.width;
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
export function medianBlur(plane, side) {
  if (side === 3) return medianOfNine(plane);
  const { data, width, height } = plane;
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
          const old = data[rows[down] + gone];
          const young = data[rows[down] + come];
          counts[old] -= 1;
          counts[young] += 1;
          // 1 for those that are below.
          below += ((young - median) >>> 31) - ((old - median) >>> 31);
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
 * @param {Plane} plane
 * @returns {Plane}
 */
function medianOfNine({ data, width, height }) {
  const blurred = new Uint8Array(data.length);
  // Of each column of three the lowest, the middle and the highest, with a column more at either end.
  const [lows, middles, highs] = [0, 1, 2].map(() => new Uint8Array(width + 2));
  for (let y = 0; y < height; y += 1) {
    const own = y * width;
    const above = Math.max(y - 1, 0) * width;
    const below = Math.min(y + 1, height - 1) * width;
    for (let x = -1; x <= width; x += 1) {
      const column = x < 0 ? 0 : x < width ? x : width - 1;
      const one = data[above + column];
      const two = data[own + column];
      const three = data[below + column];
      const low = lower(one, two);
      const high = higher(one, two);
      lows[x + 1] = lower(low, three);
      highs[x + 1] = higher(high, three);
      middles[x + 1] = higher(low, lower(high, three));
    }
    // The median of nine lies between the highest of the lows, the middle of the middles and the lowest of the highs.
    for (let x = 0; x < width; x += 1) {
      const low = higher(higher(lows[x], lows[x + 1]), lows[x + 2]);
      const high = lower(lower(highs[x], highs[x + 1]), highs[x + 2]);
      blurred[own + x] = middleOf(low, middleOf(middles[x], middles[x + 1], middles[x + 2]), high);
    }
  }
  return { data: blurred, width, height };
}

/**
 * @param {number} one
 * @param {number} two
 * @param {number} three
 */
function middleOf(one, two, three) {
  return higher(lower(one, two), lower(higher(one, two), three));
}

/**
 * Gives the higher of two levels, without a branch that a processor would guess wrong in every other pixel.
 *
 * @param {number} one
 * @param {number} other
 */
export function higher(one, other) {
  const by = one - other;
  return one - (by & (by >> 31));
}

/**
 * @param {number} one
 * @param {number} other
 */
function lower(one, other) {
  const by = one - other;
  return other + (by & (by >> 31));
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
