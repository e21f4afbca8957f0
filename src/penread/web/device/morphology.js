// What is done to shapes: growing and wearing away, connected components, distances. As OpenCV does it, down to the
// order in which it numbers components.

/**
 * @typedef {import("./planes.js").Plane} Plane
 * @typedef {import("./planes.js").FloatPlane} FloatPlane
 *
 * @typedef {object} Components  Label 0 is what lies around; its numbers mean nothing.
 * @property {number} count  With label 0.
 * @property {Int32Array} labels  The label of each pixel.
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
export function lightest({ data, width, height }, side, isRound = false) {
  const reach = side >> 1;
  const found = new Uint8Array(data.length);
  if (!isRound) {
    const across = new Uint8Array(data.length);
    for (let y = 0; y < height; y += 1) slideMax(data, y * width, 1, width, reach, across);
    for (let x = 0; x < width; x += 1) slideMax(across, x, width, height, reach, found);
    return { data: found, width, height };
  }
  // For each width that the ellipse has, the lightest across; then what its rows reach.
  /** @type {Map<number, number[]>} */
  const offsets = new Map();
  ellipse(side).forEach((half, row) => offsets.set(half, [...(offsets.get(half) ?? []), row - reach]));
  const across = new Uint8Array(data.length);
  for (const [half, rows] of offsets) {
    for (let y = 0; y < height; y += 1) slideMax(data, y * width, 1, width, half, across);
    for (const offset of rows) {
      const [from, to] = [Math.max(offset, 0) * width, Math.min(height + offset, height) * width];
      const shift = -offset * width;
      for (let at = from; at < to; at += 1) if (across[at] > found[at + shift]) found[at + shift] = across[at];
    }
  }
  return { data: found, width, height };
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
  const found = lightest({ ...plane, data: plane.data.map((level) => 255 - level) }, side, isRound);
  return { ...found, data: found.data.map((level) => 255 - level) };
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

let before = new Uint8Array(0);
let after = new Uint8Array(0);

/**
 * Gives the highest value within reach of each place of a line; beyond its ends there is nothing.
 *
 * @param {Uint8Array} from
 * @param {number} start
 * @param {number} step
 * @param {number} count
 * @param {number} reach
 * @param {Uint8Array} into
 */
function slideMax(from, start, step, count, reach, into) {
  const side = 2 * reach + 1;
  const length = count + 2 * reach;
  // The line in blocks as long as the reach to both sides: any window is the end of one and the beginning of the next.
  if (before.length < length) [before, after] = [new Uint8Array(length), new Uint8Array(length)];
  for (let at = 0; at < length; at += 1) {
    const place = at - reach;
    const value = place >= 0 && place < count ? from[start + place * step] : 0;
    before[at] = at % side === 0 || value > before[at - 1] ? value : before[at - 1];
    after[at] = value;
  }
  for (let at = length - 2; at >= 0; at -= 1) {
    if ((at + 1) % side !== 0 && after[at + 1] > after[at]) after[at] = after[at + 1];
  }
  for (let place = 0; place < count; place += 1) {
    const [one, other] = [after[place], before[place + side - 1]];
    into[start + place * step] = one > other ? one : other;
  }
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
  for (let y = -below; y < height; y += 1) {
    if (y + below < height) for (let x = 0, at = (y + below) * width; x < width; x += 1) counts[x] += grown[at + x];
    if (y < 0) continue;
    if (y > above) for (let x = 0, at = (y - above - 1) * width; x < width; x += 1) counts[x] -= grown[at + x];
    const isAtEdge = outside === 1 && (y < above || y + below >= height);
    for (let x = 0; x < width; x += 1) if (counts[x] > 0 || isAtEdge) found[y * width + x] = 1;
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
      if (first <= last) opened.fill(1, start + Math.max(first - right, 0), start + Math.min(last + left, width - 1) + 1);
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
  const labels = new Int32Array(data.length);
  const [left, top] = [new Int32Array(count).fill(width), new Int32Array(count).fill(height)];
  const [right, bottom, area] = [new Int32Array(count), new Int32Array(count), new Int32Array(count)];
  for (let run = 0; run < starts.length; run += 1) {
    const label = numberOf[rootOf(run)];
    const [start, end, y] = [starts[run], ends[run], rows[run]];
    labels.fill(label, y * width + start, y * width + end);
    if (start < left[label]) left[label] = start;
    if (end > right[label]) right[label] = end;
    if (y < top[label]) top[label] = y;
    bottom[label] = y + 1;
    area[label] += end - start;
  }
  return {
    count,
    labels,
    left,
    top,
    width: right.map((edge, label) => edge - left[label]),
    height: bottom.map((edge, label) => edge - top[label]),
    area,
  };
}

/**
 * Gives the distance of each pixel of a mask from the nearest that is not in it, and which that is.
 *
 * @param {Plane} mask  Not all of it 1.
 * @returns {{ distances: Float32Array, nearest: Int32Array }}
 */
export function distancesWithin({ data, width, height }) {
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
  const nearest = new Int32Array(data.length);
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
      nearest[row + x] = rowOf[row + column] * width + column;
    }
  }
  return { distances, nearest };
}
