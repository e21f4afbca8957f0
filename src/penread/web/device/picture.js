// From a file to an upright picture, as penread/image.py has it: what the browser can decode, within the same bounds.

import { median } from "./arrays.js";

/**
 * @typedef {import("./paper.js").Picture} Picture
 *
 * @typedef {object} Decoded
 * @property {Picture} shown  Upright, on paper, and no larger than it was asked for.
 * @property {number} width  Of the picture itself, upright, in its own pixels.
 * @property {number} height
 *
 * @typedef {{ data: Uint8ClampedArray, width: number, height: number }} Pixels  Red, green, blue and alpha.
 */

/** Pictures with more pixels are refused. */
export const MAX_PIXELS = 40_000_000;

// Levels that differ by less, of 255, are one colour with noise.
const MIN_CONTRAST = 32;
/** Pixels are taken out of the browser's memory in strips of about so many. */
const STRIP_PIXELS = 1 << 20;

/** What was given is no picture that can be read here. */
export class PictureError extends Error {}

/**
 * Decodes a file, sets it upright, lays what is transparent on paper, and shrinks it where it is larger than needed.
 *
 * @param {Blob} blob
 * @param {number} longestPx  The most pixels that the longer side keeps.
 * @returns {Promise<Decoded>}
 * @throws {PictureError}
 */
export async function decode(blob, longestPx) {
  let bitmap;
  try {
    // What the file says of its colours is left alone, as on the server.
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch (error) {
    throw new PictureError(`The browser can't decode this picture: ${error}`);
  }
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) {
      throw new PictureError(`The picture has ${width * height} pixels; ${MAX_PIXELS} is the most.`);
    }
    return { width, height, shown: onPaper(shrink(stripsOf(bitmap), width, height, longestPx)) };
  } finally {
    // In full size it takes much memory.
    bitmap.close();
  }
}

/**
 * Takes the pixels of a bitmap, from top to bottom.
 *
 * @param {ImageBitmap} bitmap
 * @returns {Generator<Pixels>}
 */
function* stripsOf(bitmap) {
  const rows = Math.min(Math.max(Math.floor(STRIP_PIXELS / bitmap.width), 1), bitmap.height);
  const canvas = new OffscreenCanvas(bitmap.width, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new PictureError("The browser has no memory for this picture.");
  for (let top = 0; top < bitmap.height; top += rows) {
    context.clearRect(0, 0, canvas.width, rows);
    context.drawImage(bitmap, 0, -top);
    yield context.getImageData(0, 0, canvas.width, Math.min(rows, bitmap.height - top));
  }
}

/**
 * Shrinks a picture by the mean of the pixels whose middles fall on each, where it is larger than needed.
 *
 * @param {Iterable<Pixels>} strips  Of the picture, from top to bottom.
 * @param {number} width
 * @param {number} height
 * @param {number} longestPx
 * @returns {Pixels}
 */
export function shrink(strips, width, height, longestPx) {
  const [across, down] = sizeWithin(width, height, longestPx);
  const columns = edgesOf(width, across);
  const rows = edgesOf(height, down);
  const data = new Uint8ClampedArray(4 * across * down);
  // Colours weigh as much as they show.
  const own = new Float64Array(4 * across);
  const sums = new Float64Array(4 * across);
  let [y, row, counted] = [0, 0, 0];
  for (const strip of strips) {
    for (let stripRow = 0; stripRow < strip.height; stripRow += 1, y += 1) {
      const start = 4 * stripRow * strip.width;
      if (across === width && down === height) {
        data.set(strip.data.subarray(start, start + 4 * width), 4 * y * width);
        continue;
      }
      addUp(strip.data, start, columns, own);
      while (row < down && y >= rows.from[row]) {
        for (let at = 0; at < own.length; at += 1) sums[at] += own[at];
        counted += 1;
        if (y + 1 < rows.to[row]) break;
        finish(sums, counted, data, 4 * row * across);
        sums.fill(0);
        [row, counted] = [row + 1, 0];
      }
    }
  }
  return { data, width: across, height: down };
}

/**
 * Adds up a row of pixels into those of a shrunk one: their means, colours times alpha.
 *
 * @param {Uint8ClampedArray} data
 * @param {number} start
 * @param {{ from: Int32Array, to: Int32Array }} columns
 * @param {Float64Array} into
 */
function addUp(data, start, { from, to }, into) {
  for (let column = 0; column < from.length; column += 1) {
    let [red, green, blue, alpha] = [0, 0, 0, 0];
    for (let at = start + 4 * from[column]; at < start + 4 * to[column]; at += 4) {
      const own = data[at + 3];
      red += data[at] * own;
      green += data[at + 1] * own;
      blue += data[at + 2] * own;
      alpha += own;
    }
    const count = to[column] - from[column];
    into[4 * column] = red / count;
    into[4 * column + 1] = green / count;
    into[4 * column + 2] = blue / count;
    into[4 * column + 3] = alpha / count;
  }
}

/**
 * @param {Float64Array} sums
 * @param {number} counted  Rows.
 * @param {Uint8ClampedArray} data
 * @param {number} start
 */
function finish(sums, counted, data, start) {
  for (let at = 0; at < sums.length; at += 4) {
    const alpha = sums[at + 3];
    for (let channel = 0; channel < 3; channel += 1) {
      data[start + at + channel] = alpha > 0 ? Math.floor(sums[at + channel] / alpha + 0.5) : 0;
    }
    data[start + at + 3] = Math.floor(alpha / counted + 0.5);
  }
}

/**
 * @param {number} from
 * @param {number} to
 * @returns {{ from: Int32Array, to: Int32Array }}  For each place the first that it covers, and one past the last.
 */
function edgesOf(from, to) {
  const scale = from / to;
  const edges = { from: new Int32Array(to), to: new Int32Array(to) };
  for (let place = 0; place < to; place += 1) {
    const middle = (place + 0.5) * scale;
    let first = Math.max(Math.floor(middle - scale / 2 + 0.5), 0);
    let last = Math.min(Math.floor(middle + scale / 2 + 0.5), from) - 1;
    // Pillow's doubt where a pixel's middle lies on an edge.
    if (first < last && (first + 0.5 - middle) * (1 / scale) <= -0.5) first += 1;
    if (first < last && (last + 0.5 - middle) * (1 / scale) > 0.5) last -= 1;
    edges.from[place] = first;
    edges.to[place] = last + 1;
  }
  return edges;
}

/**
 * Gives the size of a picture whose longer side is no longer than this, with the sides' ratio kept as well as whole
 * pixels can.
 *
 * @param {number} width
 * @param {number} height
 * @param {number} longestPx
 * @returns {[width: number, height: number]}
 */
function sizeWithin(width, height, longestPx) {
  if (width <= longestPx && height <= longestPx) return [width, height];
  const aspect = width / height;
  /** @type {(side: number, error: (side: number) => number) => number} */
  const whole = (side, error) => {
    const [low, high] = [Math.floor(side), Math.ceil(side)];
    return Math.max(error(low) <= error(high) ? low : high, 1);
  };
  return aspect < 1
    ? [whole(longestPx * aspect, (side) => Math.abs(aspect - side / longestPx)), longestPx]
    : [longestPx, whole(longestPx / aspect, (side) => (side === 0 ? 0 : Math.abs(aspect - longestPx / side)))];
}

/**
 * Lays what is transparent on paper.
 *
 * @param {Pixels} pixels
 * @returns {Picture}
 */
export function onPaper({ data, width, height }) {
  const count = width * height;
  const channels = [0, 1, 2].map((channel) => {
    const levels = new Uint8Array(count);
    for (let at = 0, from = channel; at < count; at += 1, from += 4) levels[at] = data[from];
    return levels;
  });
  let isClear = false;
  for (let at = 3; at < data.length && !isClear; at += 4) isClear = data[at] < 255;
  if (isClear) {
    const paper = paperBehind(data);
    for (const levels of channels) {
      for (let at = 0; at < count; at += 1) {
        const alpha = data[4 * at + 3] / 255;
        levels[at] = levels[at] * alpha + paper * (1 - alpha) + 0.5;
      }
    }
  }
  return { width, height, channels };
}

/**
 * Picks the level of the paper that transparency shows.
 *
 * @param {Uint8ClampedArray} data
 */
function paperBehind(data) {
  /** @type {(at: number) => number} */
  const luminance = (at) => 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
  let [shown, sum, squares] = [0, 0, 0];
  for (let at = 0; at < data.length; at += 4) {
    const [level, alpha] = [luminance(at), data[at + 3] / 255];
    shown += alpha;
    sum += level * alpha;
    squares += level * level * alpha;
  }
  if (shown === 0) return 255;
  const mean = sum / shown;
  const spread = Math.sqrt(Math.max(squares / shown - mean * mean, 0));
  // Nothing but ink: light ink on clear paper is meant for a dark page, dark ink for a light one.
  if (spread < MIN_CONTRAST) return mean > 127 ? 0 : 255;
  // The picture has paper of its own, as a card on a clear ground has; most of it is paper.
  const own = [];
  for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 127.5) own.push(luminance(at));
  return own.length > 0 ? median(own) : 255;
}
