// What is done to shapes: growing and wearing away, connected components, distances. As OpenCV does it, down to the
// order in which it numbers components.

import { higher, transpose } from "./planes.js";

/**
 * @typedef {import("./planes.js").Plane} Plane
 *
 * @typedef {object} Components  Label 0 is what lies around; its numbers mean nothing.
 * @property {number} count  With label 0.
 * @property {Int32Array} labels  The label of each pixel; made when it is first asked for.
 * @property {Int32Array} left  Of each label, and so on.
 * @property {Int32Array} top
 * @property {Int32Array} width
 * @property {Int32Array} height
 * @property {Int32Array} area  Count of pixels.
 */

/**
 * Gives the lightest of the rectangle around each pixel, or of the ellipse in it.
 *
 * @param {Plane} plane
 * @param {number} side  Odd.
 * @param {boolean} [isRound]
 * @returns {Plane}
 */
export function lightest(plane, side, isRound = false) {
  const { data, width, height } = plane;
  const reach = side >> 1;
  if (!isRound) {
    const across = windowsAcross(plane, reach)(reach);
    const turned = transpose({ data: across, width, height });
    return transpose({ ...turned, data: windowsAcross(turned, reach)(reach) });
  }
  const found = new Uint8Array(data.length);
  // For each width that the ellipse has, the lightest across; then what its rows reach.
  /** @type {Map<number, number[]>} */
  const offsets = new Map();
  ellipse(side).forEach((half, row) => offsets.set(half, [...(offsets.get(half) ?? []), row - reach]));
  const windows = windowsAcross(plane, reach);
  for (const [half, rows] of offsets) {
    const across = windows(half);
    for (const offset of rows) {
      const count = (height - Math.abs(offset)) * width;
      if (count > 0) raise(found, Math.max(-offset, 0) * width, across, Math.max(offset, 0) * width, count);
    }
  }
  return { data: found, width, height };
}

/**
 * @param {Uint8Array} levels
 * @param {number} start
 * @param {Uint8Array} others  What they are raised to where they are lower.
 * @param {number} from
 * @param {number} count
 */
function raise(levels, start, others, from, count) {
  for (let at = 0; at < count; at += 1) levels[start + at] = higher(levels[start + at], others[from + at]);
}

/**
 * Gives the darkest of the rectangle around each pixel, or of the ellipse in it.
 *
 * @param {Plane} plane
 * @param {number} side  Odd.
 * @param {boolean} [isRound]
 * @returns {Plane}
 */
export function darkest(plane, side, isRound = false) {
  const found = lightest(negative(plane), side, isRound);
  return negative(found);
}

/**
 * @param {Plane} plane
 * @returns {Plane}
 */
function negative({ data, width, height }) {
  const other = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 1) other[at] = 255 - data[at];
  return { data: other, width, height };
}

/**
 * Gives how far each row of an ellipse reaches to either side of its middle.
 *
 * @param {number} side
 */
function ellipse(side) {
  const radius = side >> 1;
  return Array.from({ length: side }, (_, row) => {
    const down = row - radius;
    return Math.round(radius * Math.sqrt((radius * radius - down * down) / (radius * radius)));
  });
}

/**
 * Gives what gives the highest value within reach of each place of its row; beyond its ends there is nothing.
 *
 * @param {Plane} plane
 * @param {number} most  The furthest reach that will be asked for.
 * @returns {(reach: number) => Uint8Array}  One after the other: they share their memory.
 */
function windowsAcross({ data, width, height }, most) {
  // Rows with nothing at either end. From each place on, the highest of 1, 2, 4 places and so on: two of these make any
  // window.
  const stride = width + 2 * most;
  let last = new Uint8Array(stride * height);
  for (let y = 0; y < height; y += 1) last.set(data.subarray(y * width, (y + 1) * width), y * stride + most);
  const tables = [last];
  for (let size = 1; 2 * size <= 2 * most + 1; size *= 2) {
    const next = new Uint8Array(last.length);
    const end = last.length - size;
    next.set(last);
    raise(next, 0, last, size, end);
    tables.push((last = next));
  }
  const found = new Uint8Array(data.length);
  return (reach) => {
    const side = 2 * reach + 1;
    const power = Math.floor(Math.log2(side));
    const table = tables[power];
    const off = side - 2 ** power;
    for (let y = 0; y < height; y += 1) {
      const from = y * stride + most - reach;
      found.set(table.subarray(from, from + width), y * width);
      raise(found, y * width, table, from + off, width);
    }
    return found;
  };
}

/**
 * Grows a mask by a rectangle.
 *
 * @param {Plane} mask
 * @param {number} across  The sides of the rectangle.
 * @param {number} down
 * @param {number} [outside]  What lies beyond the edges, 0 or 1.
 * @returns {Plane}
 */
export function dilate({ data, width, height }, across, down, outside = 0) {
  const grown = across === 1 ? data : new Uint8Array(data.length);
  if (across > 1) {
    // The rectangle lies so far to the left and to the right of its own pixel.
    const left = across >> 1;
    const right = across - 1 - left;
    for (let start = 0; start < data.length; start += width) {
      if (outside === 0 && !data.subarray(start, start + width).includes(1)) continue;
      let count = 0;
      for (let x = 0; x < Math.min(right, width); x += 1) count += data[start + x];
      for (let x = 0; x < width; x += 1) {
        if (x + right < width) count += data[start + x + right];
        if (x > left) count -= data[start + x - left - 1];
        const isAtEdge = outside === 1 && (x < left || x + right >= width);
        if (count > 0 || isAtEdge) grown[start + x] = 1;
      }
    }
  }
  if (down === 1) return { data: grown, width, height };
  const above = down >> 1;
  const below = down - 1 - above;
  const counts = new Int32Array(width);
  const found = new Uint8Array(data.length);
  // How many rows within reach have anything.
  let filled = 0;
  /** @type {(row: number) => boolean} */
  const isFilled = (row) => grown.subarray(row * width, (row + 1) * width).includes(1);
  for (let y = -below; y < height; y += 1) {
    if (y + below < height && isFilled(y + below)) {
      filled += 1;
      for (let x = 0, at = (y + below) * width; x < width; x += 1) counts[x] += grown[at + x];
    }
    if (y < 0) continue;
    if (y > above && isFilled(y - above - 1)) {
      filled -= 1;
      for (let x = 0, at = (y - above - 1) * width; x < width; x += 1) counts[x] -= grown[at + x];
    }
    const start = y * width;
    if (outside === 1 && (y < above || y + below >= height)) found.fill(1, start, start + width);
    else if (filled > 0) for (let x = 0; x < width; x += 1) if (counts[x] > 0) found[start + x] = 1;
  }
  return { data: found, width, height };
}

/**
 * Wears a mask away by a rectangle.
 *
 * @param {Plane} mask
 * @param {number} across
 * @param {number} down
 * @param {number} [outside]  What lies beyond the edges, 0 or 1.
 * @returns {Plane}
 */
export function erode(mask, across, down, outside = 1) {
  const worn = dilate(inverted(mask), across, down, 1 - outside);
  return inverted(worn);
}

/**
 * @param {Plane} mask
 * @returns {Plane}
 */
function inverted({ data, width, height }) {
  const other = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 1) other[at] = 1 - data[at];
  return { data: other, width, height };
}

/**
 * Keeps what is in a row of so many pixels: wears the mask away across and grows it again.
 *
 * @param {Plane} mask
 * @param {number} length
 * @returns {Plane}
 */
export function openAcross({ data, width, height }, length) {
  const left = length >> 1;
  const right = length - 1 - left;
  const opened = new Uint8Array(data.length);
  for (let start = 0; start < data.length; start += width) {
    for (let x = 0; x < width; x += 1) {
      if (data[start + x] === 0) continue;
      const begin = x;
      while (x < width && data[start + x] === 1) x += 1;
      // What is left of a run; one that ends at the edge may go on beyond it.
      const first = begin === 0 ? 0 : begin + left;
      const last = x === width ? width - 1 : x - 1 - right;
      // Windows of an even length have their pixel right of the middle, so the run that is back lies off by one.
      if (first > last) continue;
      opened.fill(1, start + Math.max(first - right, 0), start + Math.min(last + left, width - 1) + 1);
    }
  }
  return { data: opened, width, height };
}

/**
 * Finds connected components, corners connect too.
 *
 * @param {Plane} mask
 * @returns {Components}
 */
export function components({ data, width, height }) {
  // Runs of pixels side by side, and which run each is joined to.
  /** @type {number[]} */
  const starts = [];
  /** @type {number[]} */
  const ends = [];
  /** @type {number[]} */
  const rows = [];
  /** @type {number[]} */
  const joined = [];
  /** @type {(run: number) => number} */
  const rootOf = (run) => {
    while (joined[run] !== run) run = joined[run] = joined[joined[run]];
    return run;
  };
  let [above, aboveEnd] = [0, 0];
  for (let y = 0; y < height; y += 1) {
    const first = starts.length;
    const row = y * width;
    for (let x = 0; x < width; x += 1) {
      if (data[row + x] === 0) continue;
      const start = x;
      while (x < width && data[row + x] !== 0) x += 1;
      const run = starts.length;
      starts.push(start);
      ends.push(x);
      rows.push(y);
      joined.push(run);
      while (above < aboveEnd && ends[above] < start) above += 1;
      for (let other = above; other < aboveEnd && starts[other] <= x; other += 1) {
        const [one, two] = [rootOf(run), rootOf(other)];
        if (one < two) joined[two] = one;
        else joined[one] = two;
      }
    }
    [above, aboveEnd] = [first, starts.length];
  }
  // OpenCV numbers components in the order in which it meets them, block by block of 2 by 2 pixels.
  const blocks = (width + 1) >> 1;
  /** @type {Map<number, number>} */
  const met = new Map();
  for (let run = 0; run < starts.length; run += 1) {
    const root = rootOf(run);
    const block = (rows[run] >> 1) * blocks + (starts[run] >> 1);
    const earliest = met.get(root);
    if (earliest === undefined || block < earliest) met.set(root, block);
  }
  const inOrder = [...met].sort((one, other) => one[1] - other[1]);
  const numberOf = new Int32Array(starts.length);
  inOrder.forEach(([root], at) => (numberOf[root] = at + 1));
  const count = inOrder.length + 1;
  const [left, top] = [new Int32Array(count).fill(width), new Int32Array(count).fill(height)];
  const [right, bottom, area] = [new Int32Array(count), new Int32Array(count), new Int32Array(count)];
  for (let run = 0; run < starts.length; run += 1) {
    const label = numberOf[rootOf(run)];
    const [start, end, y] = [starts[run], ends[run], rows[run]];
    if (start < left[label]) left[label] = start;
    if (end > right[label]) right[label] = end;
    if (y < top[label]) top[label] = y;
    bottom[label] = y + 1;
    area[label] += end - start;
  }
  /** @type {Int32Array | null} */
  let labels = null;
  return {
    count,
    // They take four times the memory of the mask, and often the boxes say enough.
    get labels() {
      if (labels === null) {
        labels = new Int32Array(data.length);
        for (let run = 0; run < starts.length; run += 1) {
          labels.fill(numberOf[rootOf(run)], rows[run] * width + starts[run], rows[run] * width + ends[run]);
        }
      }
      return labels;
    },
    left,
    top,
    width: right.map((edge, label) => edge - left[label]),
    height: bottom.map((edge, label) => edge - top[label]),
    area,
  };
}

/**
 * Gives the distance of each pixel of a mask from the nearest that is not in it.
 *
 * @param {Plane} mask  Not all of it 1.
 * @param {Int32Array | null} [nearest]  Is told which that is.
 * @returns {Float32Array}
 */
export function distancesWithin({ data, width, height }, nearest = null) {
  const far = width + height;
  // Up and down first: the row of the nearest in the same column.
  const rowOf = new Int32Array(data.length);
  for (let x = 0; x < width; x += 1) {
    let last = -far;
    for (let y = 0, at = x; y < height; y += 1, at += width) {
      if (data[at] === 0) last = y;
      rowOf[at] = last;
    }
    last = 2 * far;
    for (let y = height - 1, at = y * width + x; y >= 0; y -= 1, at -= width) {
      if (data[at] === 0) last = y;
      if (last - y < y - rowOf[at]) rowOf[at] = last;
    }
  }
  const distances = new Float32Array(data.length);
  // Then across: each column gives a parabola of squared distances; the lowest of them are kept, from left to right.
  const columns = new Int32Array(width);
  const heights = new Float64Array(width);
  const from = new Float64Array(width + 1);
  for (let y = 0; y < height; y += 1) {
    const row = y * width;
    let last = -1;
    for (let x = 0; x < width; x += 1) {
      const off = rowOf[row + x] - y;
      const own = off * off + x * x;
      let begin = -Infinity;
      while (last >= 0) {
        const column = columns[last];
        begin = (own - heights[last]) / (2 * (x - column));
        if (begin > from[last]) break;
        last -= 1;
        begin = -Infinity;
      }
      last += 1;
      columns[last] = x;
      heights[last] = own;
      from[last] = begin;
    }
    from[last + 1] = Infinity;
    for (let x = 0, at = 0; x < width; x += 1) {
      while (from[at + 1] < x) at += 1;
      const column = columns[at];
      const off = rowOf[row + column] - y;
      distances[row + x] = Math.sqrt((x - column) * (x - column) + off * off);
      if (nearest !== null) nearest[row + x] = rowOf[row + column] * width + column;
    }
  }
  return distances;
}
