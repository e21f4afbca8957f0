// What reading words needs of arithmetic on arrays, with NumPy's rules for ties, quantiles and rounding: what Python
// decides is decided alike here.

/** @typedef {ArrayLike<number>} Numbers */

/**
 * Gives the places of the values in ascending order; equal ones stay in their order.
 *
 * @param {Numbers} values
 * @returns {number[]}
 */
export function argsort(values) {
  return Array.from(values, (_, at) => at).sort((one, other) => values[one] - values[other]);
}

/**
 * Gives the place of the least value, the first of several.
 *
 * @param {Numbers} values  One at least.
 * @returns {number}
 */
export function argmin(values) {
  let best = 0;
  for (let at = 1; at < values.length; at += 1) if (values[at] < values[best]) best = at;
  return best;
}

/**
 * Gives the place of the greatest value, the first of several.
 *
 * @param {Numbers} values  One at least.
 * @returns {number}
 */
export function argmax(values) {
  let best = 0;
  for (let at = 1; at < values.length; at += 1) if (values[at] > values[best]) best = at;
  return best;
}

/**
 * @param {Numbers} values
 * @returns {number}  Infinity where there are none.
 */
export function least(values) {
  let found = Infinity;
  for (let at = 0; at < values.length; at += 1) if (values[at] < found) found = values[at];
  return found;
}

/**
 * @param {Numbers} values
 * @returns {number}  Minus infinity where there are none.
 */
export function greatest(values) {
  let found = -Infinity;
  for (let at = 0; at < values.length; at += 1) if (values[at] > found) found = values[at];
  return found;
}

/** NumPy adds up so many values at most before it halves the rest, eight side by side. */
const BLOCK = 128;
const LANES = 8;

/**
 * Adds up in the order in which NumPy does, so that what is a tie there is one here.
 *
 * @param {Numbers} values
 * @param {number} [start]
 * @param {number} [count]
 * @returns {number}
 */
export function sum(values, start = 0, count = values.length) {
  if (count > BLOCK) {
    const half = (count >> 1) - ((count >> 1) % LANES);
    return sum(values, start, half) + sum(values, start + half, count - half);
  }
  let total = 0;
  let at = start;
  if (count >= LANES) {
    const lanes = Array.from({ length: LANES }, (_, lane) => values[start + lane]);
    for (at += LANES; at + LANES <= start + count; at += LANES) {
      for (let lane = 0; lane < LANES; lane += 1) lanes[lane] += values[at + lane];
    }
    const [a, b, c, d, e, f, g, h] = lanes;
    total = a + b + (c + d) + (e + f + (g + h));
  }
  for (; at < start + count; at += 1) total += values[at];
  return total;
}

/**
 * @param {Numbers} values  One at least.
 * @returns {number}
 */
export function mean(values) {
  return sum(values) / values.length;
}

/**
 * Gives quantiles, straight lines between the values.
 *
 * @param {Numbers} values  One at least.
 * @param {readonly number[]} shares  From 0 to 1.
 * @returns {number[]}
 */
export function quantiles(values, shares) {
  const sorted = new Float64Array(values).sort();
  return shares.map((share) => {
    const place = (sorted.length - 1) * share;
    const at = Math.min(Math.floor(place), Math.max(sorted.length - 2, 0));
    const part = place - at;
    const [low, high] = [sorted[at], sorted[Math.min(at + 1, sorted.length - 1)]];
    return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
  });
}

/**
 * @param {Numbers} values  One at least.
 * @returns {number}
 */
export function median(values) {
  const sorted = new Float64Array(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Gives evenly spaced values.
 *
 * @param {number} start
 * @param {number} stop  The last value, exactly.
 * @param {number} count  2 at least.
 * @returns {Float64Array}
 */
export function linspace(start, stop, count) {
  const step = (stop - start) / (count - 1);
  const values = new Float64Array(count);
  for (let at = 0; at < count; at += 1) values[at] = start + at * step;
  values[count - 1] = stop;
  return values;
}

/**
 * Gives the value at x of straight lines between points; beyond them that of the last.
 *
 * @param {number} x
 * @param {Numbers} xs  Ascending.
 * @param {Numbers} ys
 * @returns {number}
 */
export function interpolate(x, xs, ys) {
  const at = searchRight(xs, x) - 1;
  if (at < 0) return ys[0];
  if (at >= xs.length - 1 || xs[at] === x) return ys[at];
  return ((ys[at + 1] - ys[at]) / (xs[at + 1] - xs[at])) * (x - xs[at]) + ys[at];
}

/**
 * Gives the place of the first value that isn't below another, the number of values where there is none.
 *
 * @param {Numbers} sorted
 * @param {number} value
 * @returns {number}
 */
export function searchLeft(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Gives the place of the first value that is above another, the number of values where there is none.
 *
 * @param {Numbers} sorted
 * @param {number} value
 * @returns {number}
 */
export function searchRight(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Gives the values there are, ascending, each once.
 *
 * @param {Numbers} values
 * @returns {Float64Array}
 */
export function unique(values) {
  const sorted = new Float64Array(values).sort();
  let count = 0;
  for (let at = 0; at < sorted.length; at += 1) {
    if (at === 0 || sorted[at] !== sorted[count - 1]) sorted[count++] = sorted[at];
  }
  return sorted.slice(0, count);
}

/**
 * Numbers the values there are, in ascending order.
 *
 * @param {Numbers} values
 * @returns {Int32Array}  The number of each.
 */
export function numbered(values) {
  if (values instanceof Int32Array) return numberedWhole(values);
  const there = unique(values);
  const numberOf = new Map(Array.from(there, (value, number) => [value, number]));
  return Int32Array.from(values, (value) => /** @type {number} */ (numberOf.get(value)));
}

/**
 * @param {Int32Array} values
 * @returns {Int32Array}
 */
function numberedWhole(values) {
  const low = least(values);
  const numberOf = new Int32Array(Math.max(greatest(values) - low + 1, 0));
  for (let at = 0; at < values.length; at += 1) numberOf[values[at] - low] = 1;
  let count = 0;
  for (let at = 0; at < numberOf.length; at += 1) if (numberOf[at] === 1) numberOf[at] = count++;
  return values.map((value) => numberOf[value - low]);
}

/**
 * Gives the places of each label, those of label n from `starts[n]` to `starts[n + 1]`, in their order.
 *
 * @param {Numbers} labels  Whole numbers; those below 0 are left out.
 * @param {number} count  How many labels there are.
 * @returns {{ order: Int32Array, starts: Int32Array }}
 */
export function grouped(labels, count) {
  const starts = new Int32Array(count + 1);
  for (let at = 0; at < labels.length; at += 1) if (labels[at] >= 0) starts[labels[at] + 1] += 1;
  for (let label = 0; label < count; label += 1) starts[label + 1] += starts[label];
  const next = starts.slice();
  const order = new Int32Array(starts[count]);
  for (let at = 0; at < labels.length; at += 1) if (labels[at] >= 0) order[next[labels[at]]++] = at;
  return { order, starts };
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 * @returns {number}
 */
export function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/**
 * Rounds; a half goes to the even neighbour.
 *
 * @param {number} value
 * @returns {number}
 */
export function roundHalfEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

/**
 * Gives the length of (x, y), correct to the last bit but for one in hundreds. A library's is, and whether points lie
 * evenly along a line shows in that bit.
 *
 * @param {number} x
 * @param {number} y
 * @returns {number}
 */
export function hypot(x, y) {
  const near = Math.sqrt(x * x + y * y);
  if (near === 0) return 0;
  const [[one, oneRest], [other, otherRest], [square, rest]] = [x, y, near].map(exactSquare);
  const beyond = square - Math.max(one, other) - Math.min(one, other) + rest - oneRest - otherRest;
  return near - beyond / (2 * near);
}

/**
 * Squares a number by halves of its digits.
 *
 * @param {number} value
 * @returns {[square: number, rest: number]}  What was rounded, and what that took away.
 */
function exactSquare(value) {
  const spread = value * (2 ** 27 + 1);
  const high = spread - (spread - value);
  const low = value - high;
  const square = value * value;
  return [square, high * high - square + 2 * high * low + low * low];
}

/**
 * Gives `log(sum(exp(values)))`.
 *
 * @param {Numbers} values
 * @returns {number}  Minus infinity where there are none.
 */
export function logSumExp(values) {
  const top = greatest(values);
  if (!Number.isFinite(top)) return top;
  let total = 0;
  for (let at = 0; at < values.length; at += 1) total += Math.exp(values[at] - top);
  return top + Math.log(total);
}
