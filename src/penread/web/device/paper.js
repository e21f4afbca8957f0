// Ink from paper: a picture becomes a map of ink, whatever the paper, the pen, the light and the camera were. A port of
// penread/paper.py, function by function, which says more of why.

import { argmax, mean, median, roundHalfEven, unique } from "./arrays.js";
import { components, darkest, dilate, distancesWithin, erode, lightest, openAcross } from "./morphology.js";
import {
  boxBlur,
  crop,
  linearRows,
  medianBlur,
  resizeLinear,
  resizeNearest,
  shrink,
  transpose,
} from "./planes.js";
import { largestHull } from "./sheet.js";

/**
 * @typedef {import("./morphology.js").Components} Components
 * @typedef {import("./planes.js").Plane} Plane
 * @typedef {import("./planes.js").FloatPlane} InkMap  How much of each pixel is ink, from 0 for paper to 1.
 *
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array[]} channels  One where it has no colour, else red, green and blue.
 *
 * @typedef {object} Paper  Its level at every place.
 * @property {Plane[]} planes  For each channel, on a smaller picture.
 * @property {boolean} isEven  Whether it is the same at every place.
 */

// Ink must differ from paper by this much, of 255; JPEG noise and the grain of paper differ by less.
const MIN_CONTRAST = 32;
/** Paper is looked for on pictures of this size at most: light changes slowly. */
const PAPER_PX = 256;
// As a part of the longer side: a character's widest stroke, and a page's. What is wider both ways is a shadow.
const CHARACTER_STROKE = 0.45;
const PAGE_STROKE = 0.1;
/** The part of a picture's variance that lies between two levels, where it has two. */
const TWO_LEVELS = 0.85;
/** So many standard deviations of the paper's grain are no ink yet. */
const GRAINS = 8;
/** Paper whose levels differ by less needs no second look. */
const EVEN_LIGHT = 12;
const LARGEST_DISC_PX = 35;
/** Shadows leave this part of the light at least. */
const DEEPEST_SHADOW = 0.25;
/** Paper that is darker than this would make noise as strong as ink. */
const DARKEST_PAPER = 64;
// What counts as ink: half of its full contrast; less for the printed lines of the paper, which are often faint.
const HALF = 0.5;
const RULE_INK = 0.25;
// A sheet on another ground is looked for on pictures of this size; the part of the picture that it has at least.
const SHEET_PX = 128;
const LEAST_SHEET = 0.03;
// What is written on a card, or in a box, is at least this high, of the card's height; else the card is the ink. On a
// large sheet so many pixels will do.
const LEAST_HEIGHT = 0.25;
const WRITING_PX = 24;

/**
 * What is the same for a page and for a character, of pictures that are looked at as both.
 *
 * @type {WeakMap<Picture, { picture: Picture, sheet: Plane | null }>}
 */
const sheets = new WeakMap();
/** @type {WeakMap<Picture, { picture: Picture, grainless: Plane[] }>} */
const grounds = new WeakMap();

/**
 * @template T
 * @param {WeakMap<Picture, T>} known
 * @param {Picture} picture
 * @param {() => T} make
 * @returns {T}
 */
function once(known, picture, make) {
  const found = known.get(picture) ?? make();
  known.set(picture, found);
  return found;
}

/**
 * Tells ink from paper on a page of text.
 *
 * @param {Picture} picture
 * @returns {InkMap | null}  Without the lines of ruled or squared paper; null where there is none.
 */
export function page(picture) {
  const ink = inkOnSheet(picture, PAGE_STROKE);
  return ink && withoutEdges(withoutRules(withoutBoxes(ink), 0.4));
}

/**
 * Tells ink from paper on a picture of one character.
 *
 * @param {Picture} picture
 * @returns {InkMap | null}  The ink of the character; null where there is none.
 */
export function character(picture) {
  const ink = inkOnSheet(picture, CHARACTER_STROKE);
  return ink && isolated(withoutEdges(withoutRules(withoutBoxes(ink), 0.95)));
}

/**
 * Tells ink from paper on the sheet or card that lies on another ground, if there is one with anything on it.
 *
 * @param {Picture} given
 * @param {number} widestStroke  As a part of the longer side.
 * @returns {InkMap | null}
 */
function inkOnSheet(given, widestStroke) {
  const { picture, sheet } = once(sheets, given, () => {
    const own = inOneChannel(given);
    return { picture: own, sheet: findSheet(own) };
  });
  if (sheet === null) return findInk(picture, widestStroke);
  const { width, height } = picture;
  const inside = resizeNearest(sheet, width, height).data;
  // What is around takes the colour of the sheet's edge next to it.
  const nearest = new Int32Array(sheet.data.length);
  distancesWithin({ ...sheet, data: sheet.data.map((isIn) => 1 - isIn) }, nearest);
  const channels = shrunk(picture, SHEET_PX).map((plane, channel) => {
    const small = medianBlur(plane, 5).data;
    const around = resizeLinear({ ...sheet, data: small.map((_, at) => small[nearest[at]]) }, width, height).data;
    const own = picture.channels[channel];
    for (let at = 0; at < around.length; at += 1) if (inside[at] === 1) around[at] = own[at];
    return around;
  });
  const ink = findInk({ width, height, channels }, widestStroke);
  if (ink !== null) {
    // The sheet's own edge is no ink.
    const core = resizeNearest(erode(sheet, 3, 3, 0), width, height).data;
    for (let at = 0; at < core.length; at += 1) if (core[at] === 0) ink.data[at] = 0;
    const most = ((heightOf(sheet.data, sheet.width, HALF) - 1) / sheet.height) * height;
    if (heightOf(ink.data, width, HALF) >= Math.min(LEAST_HEIGHT * most, WRITING_PX)) return ink;
  }
  return findInk(picture, widestStroke);
}

/**
 * Finds a sheet of paper with another ground all around: a mask on the picture shrunk to `SHEET_PX`.
 *
 * @param {Picture} picture
 * @returns {Plane | null}
 */
function findSheet(picture) {
  if (Math.max(picture.width, picture.height) < SHEET_PX >> 1) return null;
  const small = shrunk(picture, SHEET_PX);
  const { width, height } = small[0];
  const withoutStrokes = small.map((plane) => medianBlur(plane, Math.floor(Math.max(width, height) / 8) | 1).data);
  const channel = argmax(withoutStrokes.map(variance));
  const clearest = Float32Array.from(withoutStrokes[channel]);
  if (extent(clearest) < MIN_CONTRAST) return null;
  const threshold = otsu(clearest);
  for (const isLight of [true, false]) {
    /** @type {(level: number) => boolean} */
    const isOfSheet = (level) => level > threshold === isLight;
    const region = Uint8Array.from(clearest, (level) => Number(isOfSheet(level)));
    const hull = largestHull({ data: region, width, height });
    if (hull === null) continue;
    const mask = hull.mask.data;
    const [inHull, inBoth] = [total(mask), total(mask.map((isIn, at) => isIn & region[at]))];
    if (
      hull.area < LEAST_SHEET * mask.length ||
      hull.area < 0.85 * hull.around ||
      shareOfSides(hull.mask) >= 0.1 ||
      inBoth < 0.75 * inHull
    ) {
      continue;
    }
    // What the strokes are, before they are taken away: around a sheet there is none.
    const ground = dilate(hull.mask, 7, 7).data;
    const strayed = small[channel].data.filter((level, at) => ground[at] === 0 && isOfSheet(level)).length;
    if (strayed <= 0.01 * inHull) return hull.mask;
  }
  return null;
}

/**
 * Gives how much of a mask's four sides it has; corners count twice.
 *
 * @param {Plane} mask
 */
function shareOfSides({ data, width, height }) {
  let count = 0;
  for (let x = 0; x < width; x += 1) count += data[x] + data[(height - 1) * width + x];
  for (let y = 0; y < height; y += 1) count += data[y * width] + data[(y + 1) * width - 1];
  return count / (2 * (width + height));
}

/**
 * Leaves out two of the channels of a picture without colour.
 *
 * @param {Picture} picture
 * @returns {Picture}
 */
function inOneChannel(picture) {
  const [red, green, blue] = picture.channels;
  if (green === undefined) return picture;
  for (let at = 0; at < red.length; at += 1) if (red[at] !== green[at] || red[at] !== blue[at]) return picture;
  return { ...picture, channels: [red] };
}

/**
 * @param {Picture} given
 * @param {number} widestStroke
 * @returns {InkMap | null}
 */
function findInk(given, widestStroke) {
  const { picture, grainless } = once(grounds, given, () => {
    const own = darkOnLight(inOneChannel(given));
    const small = shrunk(own, PAPER_PX);
    const isLarge = Math.max(small[0].width, small[0].height) > 2 * 5;
    return { picture: own, grainless: isLarge ? small.map((each) => medianBlur(each, 3)) : small };
  });
  const paper = findPaper(grainless, widestStroke);
  const ink = darker(picture, paper);
  if (ink === null || extent(paper.planes.flatMap(({ data }) => [least(data), most(data)])) < EVEN_LIGHT) return ink;
  // Once the pen is known, shadows can be followed up to their edge.
  const pen = strokeWidth(ink) / Math.max(ink.width, ink.height);
  return 4 * pen < widestStroke ? darker(picture, findPaper(grainless, 4 * pen), ink.data) : ink;
}

/**
 * Compares a picture with its paper; null where they are the same.
 *
 * @param {Picture} picture
 * @param {Paper} paper
 * @param {Float32Array} [memory]  For the map, where there is some to spare.
 * @returns {InkMap | null}
 */
function darker({ width, height, channels }, { planes, isEven }, memory = new Float32Array(width * height)) {
  const contrast = memory.fill(0);
  addContrasts(contrast, { width, height, channels }, planes, isEven);
  const threshold = Math.max(otsu(contrast), MIN_CONTRAST / 2);
  const { sample, greatest } = smoothSample(contrast, width, height);
  // A sample will do. The lower part of its levels is paper, however much ink there is.
  const [low, middle] = [0.02, 0.15].map((share) => sortedQuantile(sample, share));
  // In a normal distribution these are 1.02 standard deviations apart; the grain of paper alone goes this far.
  const grain = (GRAINS * (middle - low)) / 1.02;
  // The paper was taken for as light as its lightest grain.
  const below = sample.filter((level) => level <= threshold);
  const paperAt = Math.fround(below.length > 0 ? sortedQuantile(below, 0.5) : 0);
  let [count, highest] = [0, -Infinity];
  for (let at = 0; at < contrast.length; at += 1) {
    contrast[at] -= paperAt;
    if (contrast[at] > threshold) count += 1;
    if (contrast[at] > highest) highest = contrast[at];
  }
  if (count === 0 || highest < MIN_CONTRAST || greatest - paperAt < grain) return null;
  const inked = new Float32Array(count);
  let place = 0;
  for (let at = 0; at < contrast.length; at += 1) if (contrast[at] > threshold) inked[place++] = contrast[at];
  const full = Math.fround(sortedQuantile(inked.sort(), 0.9));
  for (let at = 0; at < contrast.length; at += 1) {
    contrast[at] = Math.min(Math.max(contrast[at] / full, 0), 1);
  }
  return { data: contrast, width, height };
}

/**
 * Finds by how much each pixel is darker than the paper, of 255: ink takes a part of the light away, as much in the
 * shadow as in the sun.
 *
 * @param {Float32Array} contrast  Zeros.
 * @param {Picture} picture
 * @param {Plane[]} planes
 * @param {boolean} isEven
 */
function addContrasts(contrast, { width, height, channels }, planes, isEven) {
  const light = Float32Array.from({ length: 256 }, (_, level) => 255 / Math.max(level, DARKEST_PAPER));
  const rows = planes.map((plane) => linearRows(plane, width, height));
  const papers = planes.map(({ data }) => new Uint8Array(width).fill(data[0]));
  for (let row = 0; row < height; row += 1) {
    const own = contrast.subarray(row * width, (row + 1) * width);
    for (let channel = 0; channel < channels.length; channel += 1) {
      if (!isEven) rows[channel](row, papers[channel]);
      addContrast(own, papers[channel], channels[channel], row * width, light, channels.length > 1);
    }
    if (channels.length > 1) for (let x = 0; x < width; x += 1) own[x] = Math.sqrt(own[x] / 3);
  }
}

/**
 * @param {Float32Array} contrast  Of a row.
 * @param {Uint8Array} paper  Of the same row.
 * @param {Uint8Array} levels  Of the picture.
 * @param {number} start  Of the row.
 * @param {Float32Array} light  255 by each level of paper.
 * @param {boolean} isSquared
 */
function addContrast(contrast, paper, levels, start, light, isSquared) {
  for (let x = 0; x < contrast.length; x += 1) {
    const difference = paper[x] - levels[start + x];
    // 0 for what is lighter than the paper: without a branch, which processors guess wrong in grain.
    const part = (difference & ~(difference >> 31)) * light[paper[x]];
    contrast[x] += isSquared ? part * part : part;
  }
}

/**
 * Gives a sample of the means of the 3 by 3 pixels around each, ascending, and the greatest of all. Beyond the edges
 * lies what lies inside of them.
 *
 * @param {Float32Array} levels
 * @param {number} width
 * @param {number} height
 * @returns {{ sample: Float32Array, greatest: number }}
 */
function smoothSample(levels, width, height) {
  const [everyRow, everyColumn] = [1 + Math.floor(height / 128), 1 + Math.floor(width / 128)];
  const perRow = Math.ceil(width / everyColumn);
  const sample = new Float32Array(Math.ceil(height / everyRow) * perRow);
  // The sums down, with a column more at either end.
  const sums = new Float32Array(width + 2);
  let [greatest, taken] = [-Infinity, 0];
  for (let y = 0; y < height; y += 1) {
    const own = y * width;
    const above = (y > 0 ? y - 1 : Math.min(1, height - 1)) * width;
    const below = (y + 1 < height ? y + 1 : Math.max(height - 2, 0)) * width;
    for (let x = 0; x < width; x += 1) sums[x + 1] = levels[above + x] + levels[own + x] + levels[below + x];
    sums[0] = sums[Math.min(2, width)];
    sums[width + 1] = sums[Math.max(width - 1, 1)];
    for (let x = 0; x < width; x += 1) {
      const sum = sums[x] + sums[x + 1] + sums[x + 2];
      if (sum > greatest) greatest = sum;
    }
    if (y % everyRow !== 0) continue;
    for (let x = 0; x < width; x += everyColumn) sample[taken++] = (sums[x] + sums[x + 1] + sums[x + 2]) / 9;
  }
  return { sample: sample.sort(), greatest: greatest / 9 };
}

/**
 * Inverts the channels in which ink is lighter than paper.
 *
 * @param {Picture} picture
 * @returns {Picture}
 */
function darkOnLight(picture) {
  const small = shrunk(picture, PAPER_PX >> 2);
  // Without uneven light.
  const side = Math.floor(Math.max(small[0].width, small[0].height) * 0.6) | 1;
  const levels = small.map((plane) => {
    const around = medianBlur(plane, side).data;
    return Float32Array.from(plane.data, (level, at) => level - around[at]);
  });
  // Red ink on green paper is lighter in one channel and darker in another; the clearest is judged, the others follow.
  const clearest = argmax(levels.map(variance));
  const isDark = paperIsDark(small[clearest], levels[clearest]);
  const inverted = levels.map((own) => {
    const isAgainst = total(own.map((level, at) => level * levels[clearest][at])) < 0;
    return isAgainst !== isDark;
  });
  if (!inverted.includes(true)) return picture;
  return {
    ...picture,
    channels: picture.channels.map((own, at) => (inverted[at] ? own.map((level) => 255 - level) : own)),
  };
}

/**
 * Tells light ink on dark paper from dark on light.
 *
 * @param {Plane} picture
 * @param {Float32Array} abovePaper  The same without uneven light; useless where ink is as wide as paper.
 */
function paperIsDark({ data, width, height }, abovePaper) {
  // A scanner leaves a dark edge now and then: a little further in it must be the same.
  const inset = 1 + Math.floor(Math.max(width, height) / 20);
  const rings = [0, inset].map((depth) => ringAt(width, height, depth)).filter((ring) => ring.length > 0);
  const levels = Float32Array.from(data);
  const isBelow = below(levels);
  // Two levels, ink and paper, and little between: the light is even.
  const share = mean(isBelow);
  const [dark, light] = [1, 0].map((side) => levels.filter((_, at) => isBelow[at] === side));
  const gap = share > 0 && share < 1 ? mean(light) - mean(dark) : 0;
  const isEven = share * (1 - share) * gap ** 2 > TWO_LEVELS * variance(levels);
  const isUneven = extent(abovePaper) >= MIN_CONTRAST;
  for (const [judged, isTrusted] of /** @type {const} */ ([[isBelow, isEven], [below(abovePaper), isUneven]])) {
    // The border is paper, unless the picture is cut so close that ink is on it too.
    const shares = rings.map((ring) => mean(ring.map((at) => judged[at])));
    const [outer, inner] = [shares[0], shares[shares.length - 1]];
    // Where the two are opposites, the outer is such an edge.
    const ofRing = outer > 0.5 === inner > 0.5 ? outer : inner;
    if (isTrusted && !(ofRing >= 0.05 && ofRing <= 0.95)) return ofRing > 0.5;
  }
  // Then most of the picture is paper, and in doubt paper is light.
  return share > 0.65;
}

/**
 * @param {number} width
 * @param {number} height
 * @param {number} depth
 * @returns {number[]}  The places so far from the edge.
 */
function ringAt(width, height, depth) {
  const places = [];
  for (let y = depth; y < height - depth; y += 1) {
    for (let x = depth; x < width - depth; x += 1) {
      const isOnRing = y === depth || y === height - depth - 1 || x === depth || x === width - depth - 1;
      if (isOnRing) places.push(y * width + x);
    }
  }
  return places;
}

/**
 * @param {Float32Array} levels
 * @returns {Uint8Array}  1 for what is of the darker of two levels.
 */
function below(levels) {
  const threshold = otsu(levels);
  return Uint8Array.from(levels, (level) => Number(level <= threshold));
}

/**
 * Estimates the level of the paper at every place: the picture with its dark strokes closed.
 *
 * @param {Plane[]} small  The channels of the picture, shrunk to `PAPER_PX`.
 * @param {number} widestStroke
 * @returns {Paper}
 */
function findPaper(small, widestStroke) {
  const side = Math.max(small[0].width, small[0].height);
  const reach = Math.max(Math.floor(side * widestStroke), 3) | 1;
  // Discs follow the edge of a shadow however it runs; large ones take long.
  const isRound = reach <= LARGEST_DISC_PX;
  const lit = small.map((plane) => lightest(plane, reach, isRound));
  if (lit.every(({ data }) => data.every((level) => level === data[0]))) return { planes: lit, isEven: true };
  const planes = lit.map((plane) => {
    const smooth = boxBlur(darkest(plane, reach, isRound), (reach >> 2) | 1);
    // Nothing is so deep in the shadow: a large patch that is darker is ink.
    const shadow = Math.floor(DEEPEST_SHADOW * most(smooth.data));
    return { ...smooth, data: smooth.data.map((level) => Math.max(level, shadow)) };
  });
  return { planes, isEven: planes.every(({ data }) => data.every((level) => level === data[0])) };
}

/**
 * @param {Picture} picture
 * @param {number} longestPx
 * @returns {Plane[]}  Its channels.
 */
function shrunk({ width, height, channels }, longestPx) {
  const planes = channels.map((data) => ({ data, width, height }));
  const scale = longestPx / Math.max(width, height);
  if (scale >= 1) return planes;
  const [across, down] = [width, height].map((side) => Math.max(roundHalfEven(side * scale), 1));
  return planes.map((plane) => shrink(plane, across, down));
}

/**
 * Finds the threshold that parts levels in two most evenly (Otsu 1979).
 *
 * @param {Float32Array} levels
 */
function otsu(levels) {
  let [low, high] = [Infinity, -Infinity];
  for (let at = 0; at < levels.length; at += 1) {
    if (levels[at] < low) low = levels[at];
    if (levels[at] > high) high = levels[at];
  }
  if (high <= low) return low;
  const scale = Math.fround(255 / (high - low));
  const counts = new Float64Array(256);
  for (let at = 0; at < levels.length; at += 1) {
    counts[Math.floor(Math.fround(Math.fround(levels[at] - low) * scale))] += 1;
  }
  // All that was rounded down to the threshold is below it.
  return low + ((otsuOfCounts(counts) + 0.999) * (high - low)) / 255;
}

/** @param {Float64Array} counts */
function otsuOfCounts(counts) {
  const all = total(counts);
  const middle = total(counts.map((count, level) => count * level)) / all;
  let [best, greatest, share, sum] = [0, 0, 0, 0];
  counts.forEach((count, level) => {
    const part = count / all;
    const before = sum * share;
    share += part;
    if (Math.min(share, 1 - share) < 2 ** -23) {
      sum = 0;
      return;
    }
    sum = (before + level * part) / share;
    const between = share * (1 - share) * (sum - (middle - share * sum) / (1 - share)) ** 2;
    if (between > greatest) [best, greatest] = [level, between];
  });
  return best;
}

// ---------------------------------------------------------------------------------------------------------------------
// The lines of the paper

/**
 * Takes away thin straight lines across the picture, fainter or thinner than the writing.
 *
 * @param {InkMap} ink
 * @param {number} span  The part of the picture's width or height that a line must cross.
 * @returns {InkMap}
 */
function withoutRules(ink, span) {
  const box = boxOf(ink, RULE_INK);
  const extents = [box.right - box.left, box.bottom - box.top];
  [ink.width, ink.height].forEach((length, axis) => {
    // No line is longer than all the ink together, and a run that joins it.
    if (extents[axis] + runOf(length) < span * length) return;
    // Lines down the picture are lines across the turned picture.
    const turned = axis === 0 ? ink : transpose(ink);
    const rules = findRules(turned, span);
    if (rules === null) return;
    const data = turned.data.map((level, at) => (rules[at] === 1 ? 0 : level));
    ink = axis === 0 ? { ...turned, data } : transpose({ ...turned, data });
  });
  return ink;
}

/**
 * Gives the length of the runs of ink that lines are made of, and the longest gap between them, in pixels.
 *
 * @param {number} width
 */
function runOf(width) {
  return Math.max(Math.floor(width / 24), 8);
}

/**
 * Finds lines that run across the picture: a mask of them, without the strokes that cross them.
 *
 * @param {InkMap} ink
 * @param {number} span
 * @returns {Uint8Array | null}
 */
function findRules(ink, span) {
  const { width, height } = ink;
  const mask = above(ink, RULE_INK);
  const run = runOf(width);
  const runs = openAcross(mask, run);
  if (total(anyDown(runs)) < 0.6 * span * width) return null;
  // The runs of a line that isn't quite level lie one beside the other.
  const joined = dilate(runs, run, 3);
  const found = components(joined);
  const long = labelsWhere(found, (label) => found.width[label] >= span * width);
  if (long.length === 0) return null;
  const others = ink.data.slice();
  for (let at = 0; at < others.length; at += 1) if (joined.data[at] === 1) others[at] = 0;
  const rest = stroke({ ...ink, data: others });
  if (rest === null) return null;
  const rules = new Uint8Array(width * height);
  for (const label of long) {
    /** @type {number[]} */
    const rows = [];
    /** @type {number[]} */
    const columns = [];
    eachOf(found, label, width, (at, x, y) => {
      if (runs.data[at] === 0) return;
      rows.push(y);
      columns.push(x);
    });
    if (new Set(columns).size >= 0.6 * found.width[label]) addRule(rules, ink, mask, rows, columns, rest);
  }
  return rules.includes(1) ? rules : null;
}

/**
 * Adds a line to a mask where nothing crosses it.
 *
 * @param {Uint8Array} rules  The mask.
 * @param {InkMap} ink
 * @param {Plane} mask  Where there is ink at all.
 * @param {number[]} rows  Of pixels that are on the line, with strokes that lie along it.
 * @param {number[]} columns  Of the same.
 * @param {{ width: number, level: number }} rest  Width of the strokes of all else, and their level.
 */
function addRule(rules, { data, width, height }, mask, rows, columns, rest) {
  /** @type {(x: number) => number} */
  let curve = () => 0;
  // Paper may be curled: the line is a smooth curve, and what is far from it is no part of it.
  for (let round = 0; round < 3; round += 1) {
    curve = fitCurve(columns, rows, Math.min(3, unique(columns).length - 1));
    const off = rows.map((row, at) => Math.abs(row - curve(columns[at])));
    const limit = Math.max(1.5, 1.5 * median(off));
    rows = rows.filter((_, at) => off[at] <= limit);
    columns = columns.filter((_, at) => off[at] <= limit);
  }
  const [first, last] = [least(columns), most(columns)];
  /** @type {(row: number) => number} */
  const within = (row) => Math.min(Math.max(row, 0), height - 1);
  const middles = Int32Array.from({ length: last - first + 1 }, (_, at) => within(roundHalfEven(curve(first + at))));
  // The length of the vertical run of ink through the line, as far as it matters.
  const furthest = Math.ceil(rest.width) + 4;
  const isThere = new Uint8Array(middles.length);
  const lengths = middles.map((middle, at) => {
    /** @type {(offset: number) => number} */
    const inked = (offset) => mask.data[within(middle + offset) * width + first + at];
    let length = inked(0);
    for (const side of [-1, 1]) {
      for (let offset = 1; offset <= furthest && inked(side * offset) === 1; offset += 1) length += 1;
    }
    // The middle may be beside the line by a pixel.
    isThere[at] = inked(-1) | inked(0) | inked(1);
    return length;
  });
  const there = Array.from(isThere.keys()).filter((at) => isThere[at] === 1);
  const thickness = there.length > 0 ? median(there.map((at) => lengths[at])) : 0;
  const level = there.length > 0 ? median(there.map((at) => data[middles[at] * width + first + at])) : 0;
  const isWriting = thickness > 0.65 * rest.width && level > 0.75 * rest.level;
  if (there.length < 0.5 * middles.length || isWriting) return;
  const own = Math.min(Math.floor(thickness / 2 + 2), furthest);
  lengths.forEach((length, at) => {
    if (length > thickness + 2) return;
    for (let offset = -own; offset <= own; offset += 1) rules[within(middles[at] + offset) * width + first + at] = 1;
  });
}

/**
 * Fits a polynomial by least squares.
 *
 * @param {number[]} xs
 * @param {number[]} ys
 * @param {number} degree  Less than there are different xs.
 * @returns {(x: number) => number}
 */
function fitCurve(xs, ys, degree) {
  const [low, high] = [least(xs), most(xs)];
  /** @type {(x: number) => number} */
  const scaled = (x) => (high > low ? (2 * x - low - high) / (high - low) : 0);
  const size = degree + 1;
  // The normal equations, each with its right side.
  const rows = Array.from({ length: size }, () => new Float64Array(size + 1));
  const powers = new Float64Array(2 * size);
  xs.forEach((x, at) => {
    const place = scaled(x);
    for (let power = 0, value = 1; power < 2 * size; power += 1, value *= place) powers[power] = value;
    for (let row = 0; row < size; row += 1) {
      for (let column = 0; column < size; column += 1) rows[row][column] += powers[row + column];
      rows[row][size] += powers[row] * ys[at];
    }
  });
  for (let pivot = 0; pivot < size; pivot += 1) {
    for (let row = pivot + 1; row < size; row += 1) {
      const factor = rows[row][pivot] / rows[pivot][pivot];
      for (let column = pivot; column <= size; column += 1) rows[row][column] -= factor * rows[pivot][column];
    }
  }
  const weights = new Float64Array(size);
  for (let row = size - 1; row >= 0; row -= 1) {
    let rest = rows[row][size];
    for (let column = row + 1; column < size; column += 1) rest -= rows[row][column] * weights[column];
    weights[row] = rest / rows[row][row];
  }
  return (x) => weights.reduceRight((value, weight) => value * scaled(x) + weight, 0);
}

/**
 * Measures the mean width of strokes, in pixels, and their median level; null where there is no ink.
 *
 * @param {InkMap} ink  Is changed.
 * @returns {{ width: number, level: number } | null}
 */
function stroke(ink) {
  const inked = ink.data.filter((level) => level > RULE_INK);
  if (inked.length < 4) return null;
  const level = sortedQuantile(inked.sort(), 0.5);
  for (let at = 0; at < ink.data.length; at += 1) ink.data[at] = Math.min(ink.data[at] / level, 1);
  return { width: strokeWidth(ink), level };
}

/**
 * Measures the mean width of strokes: twice their area by the length of their edges.
 *
 * @param {InkMap} ink  How soft its edges are makes no difference.
 * @returns {number}  In pixels; 0 where there is no ink.
 */
export function strokeWidth({ data, width, height }) {
  let [area, steps] = [0, 0];
  // The row above, without the grain of paper and ink, which would count as edges.
  const row = new Float64Array(width);
  for (let y = 0; y < height; y += 1) {
    let before = 0;
    for (let x = 0, at = y * width; x < width; x += 1, at += 1) {
      const level = 2 * data[at] - 0.5;
      const clean = level < 0 ? 0 : level > 1 ? 1 : level;
      if (clean !== before && x > 0) steps += Math.abs(clean - before);
      if (clean !== row[x] && y > 0) steps += Math.abs(clean - row[x]);
      area += clean;
      row[x] = before = clean;
    }
  }
  // The steps from pixel to pixel along both axes are 4 / pi of an edge's length, in the mean of all directions.
  return steps > 0 ? (2 * area) / ((steps * Math.PI) / 4) : 0;
}

// ---------------------------------------------------------------------------------------------------------------------
// Boxes, edges, specks

/**
 * Takes away printed boxes and combs of boxes that something is written in, and empty ones of the same height. A box
 * with nothing in it, by itself, may be a character.
 *
 * @param {InkMap} ink  Is changed.
 * @returns {InkMap}
 */
function withoutBoxes(ink) {
  const { width, height } = ink;
  const found = components(above(ink, HALF));
  /** @type {(label: number) => number} */
  const areaOf = (label) => found.width[label] * found.height[label];
  const maybe = labelsWhere(found, (label) => {
    const [across, down] = [found.width[label], found.height[label]];
    // Squared paper is no box.
    const isPaper = Math.max(across, down) >= 0.98 * Math.max(width, height);
    return Math.min(across, down) >= 16 && found.area[label] <= 0.5 * areaOf(label) && !isPaper;
  }).sort((one, other) => areaOf(other) - areaOf(one));
  if (maybe.length === 0) return ink;
  /** @type {{ down: number, label: number, inside: InkMap }[]} */
  const empty = [];
  const heights = [];
  // Boxes within boxes within boxes are no form: all together they have no more area than some pages.
  let leftToSee = 4 * ink.data.length;
  for (const label of maybe) {
    const [left, top, across, down] = [found.left[label], found.top[label], found.width[label], found.height[label]];
    leftToSee -= across * down;
    if (leftToSee < 0) break;
    const own = new Uint8Array(across * down);
    eachOf(found, label, width, (_, x, y) => (own[(y - top) * across + x - left] = 1));
    const band = Math.max(2, roundHalfEven(0.08 * Math.min(across, down)));
    const frame = findFrame({ data: own, width: across, height: down }, band);
    if (frame === null) continue;
    const walls = dilate(frame, 3, 3).data;
    const inside = crop(ink, left, top, left + across, top + down);
    for (let at = 0; at < walls.length; at += 1) if (walls[at] === 1) inside.data[at] = 0;
    const core = crop(inside, band, band, across - band, down - band);
    if (heightOf(core.data, core.width, HALF) < LEAST_HEIGHT * down) {
      empty.push({ down, label, inside });
    } else {
      lay(ink, inside, left, top, (_, level) => level);
      heights.push(down);
    }
  }
  for (const { down, label, inside } of empty) {
    if (heights.some((other) => Math.abs(down - other) <= 0.2 * other)) {
      lay(ink, inside, found.left[label], found.top[label], Math.min);
    }
  }
  return ink;
}

/**
 * Lays a part of a map over it.
 *
 * @param {InkMap} ink
 * @param {InkMap} part
 * @param {number} left
 * @param {number} top
 * @param {(was: number, level: number) => number} mix
 */
function lay(ink, part, left, top, mix) {
  for (let y = 0; y < part.height; y += 1) {
    for (let x = 0; x < part.width; x += 1) {
      const at = (top + y) * ink.width + left + x;
      ink.data[at] = mix(ink.data[at], part.data[y * part.width + x]);
    }
  }
}

/**
 * Finds the straight walls of a box or a comb of boxes; null where it is none.
 *
 * @param {Plane} own  A connected component, cut to its box.
 * @param {number} band  How far from its outline a wall may be.
 * @returns {Plane | null}
 */
function findFrame(own, band) {
  const { width, height } = own;
  const turned = transpose(own);
  const sides = [own, turned].flatMap((plane) => [
    crop(plane, 0, 0, plane.width, band),
    crop(plane, 0, plane.height - band, plane.width, plane.height),
  ]);
  if (sides.some((side) => mean(anyDown(side)) < 0.9)) return null;
  const length = roundHalfEven(0.85 * Math.min(width, height));
  const frame = openAcross(own, length);
  const upright = transpose(openAcross(turned, length)).data;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      const isInBand = x < band || y < band || x >= width - band || y >= height - band;
      if (upright[at] === 1 || (isInBand && own.data[at] === 1)) frame.data[at] = 1;
    }
  }
  return frame;
}

/**
 * Takes away what runs along the edge of the picture: the edge of the sheet, the shadow of a scanner's lid.
 *
 * @param {InkMap} ink
 * @returns {InkMap}
 */
function withoutEdges(ink) {
  const { width, height, data } = ink;
  const ends = [crop(ink, 0, 0, width, 2), crop(ink, 0, height - 2, width, height)];
  const sides = [crop(ink, 0, 0, 2, height), crop(ink, width - 2, 0, width, height)];
  if (Math.max(...[...ends, ...sides].map((side) => most(side.data))) <= HALF) return ink;
  const found = components(above(ink, HALF));
  if (found.count <= 2) return ink;
  const along = labelsWhere(found, (label) => {
    const [left, top, across, down] = [found.left[label], found.top[label], found.width[label], found.height[label]];
    const isAtSide = left <= 1 || left + across >= width - 1;
    const isAtEnd = top <= 1 || top + down >= height - 1;
    const isUpright = isAtSide && down > 0.5 * height && across < 0.08 * width;
    return isUpright || (isAtEnd && across > 0.5 * width && down < 0.08 * height);
  });
  if (along.length === 0 || along.length === found.count - 1) return ink;
  const gone = dilate(maskOf(found, along, width, height), 5, 5).data;
  return { ...ink, data: data.map((level, at) => (gone[at] === 1 ? 0 : level)) };
}

/**
 * Keeps one character: takes away specks, and bits that reach in from the edge of the picture.
 *
 * @param {InkMap} ink
 * @returns {InkMap}
 */
function isolated(ink) {
  const { width, height, data } = ink;
  const found = components(above(ink, HALF));
  if (found.count <= 2) return ink;
  const boxes = Array.from({ length: found.count - 1 }, (_, at) => {
    const [left, top, across, down] = [found.left, found.top, found.width, found.height].map((each) => each[at + 1]);
    const [right, bottom] = [left + across, top + down];
    const isAtEdge = left <= 0 || top <= 0 || right >= width || bottom >= height;
    return { left, top, right, bottom, across, down, area: found.area[at + 1], isAtEdge };
  });
  // The character is the largest component that is whole, and what belongs to it.
  const largest = argmax(boxes.map((box) => box.area * (box.isAtEdge ? 0.5 : 1)));
  const main = boxes[largest];
  const pen = (2 * main.area) / Math.max(outline(maskOf(found, [largest + 1], width, height)), 1);
  const isKept = boxes.map((box) => {
    if (box.area < 0.3 * pen ** 2) return false;
    const away = Math.max(
      main.left - box.right,
      box.left - main.right,
      main.top - box.bottom,
      box.top - main.bottom,
      0,
    );
    if (away / Math.max(main.across, main.down) > 0.7 && box.area < 0.25 * main.area) return false;
    if (main.isAtEdge || !box.isAtEdge) return true;
    const slack = 0.1 * main.across;
    const isBeside = box.right <= main.left + slack || box.left >= main.right - slack;
    return !((isBeside || box.across > 1.5 * box.down) && box.area < 0.6 * main.area);
  });
  if (!isKept.includes(false)) return ink;
  // A component takes its soft edges with it.
  const [kept, lost] = [true, false].map((wanted) => labelsWhere(found, (label) => isKept[label - 1] === wanted));
  const gone = dilate(maskOf(found, lost, width, height), 5, 5).data;
  const stays = dilate(maskOf(found, kept, width, height), 3, 3).data;
  return { ...ink, data: data.map((level, at) => (gone[at] === 1 && stays[at] === 0 ? 0 : level)) };
}

/**
 * Measures the length of a mask's edges, in pixels.
 *
 * @param {Plane} mask
 */
function outline({ data, width, height }) {
  let steps = 0;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      if (x > 0 && data[at] !== data[at - 1]) steps += 1;
      if (y > 0 && data[at] !== data[at - width]) steps += 1;
    }
  }
  return (steps * Math.PI) / 4;
}

// ---------------------------------------------------------------------------------------------------------------------
// Small things

/**
 * @param {InkMap} ink
 * @param {number} level
 * @returns {Plane}  1 where there is more ink.
 */
export function above({ data, width, height }, level) {
  const mask = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 1) if (data[at] > level) mask[at] = 1;
  return { data: mask, width, height };
}

/**
 * Gives the box around what is more than a level.
 *
 * @param {InkMap} ink
 * @param {number} level
 * @returns {{ left: number, top: number, right: number, bottom: number }}  All 0 where there is nothing.
 */
export function boxOf({ data, width, height }, level) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      if (!(data[at] > level)) continue;
      if (x < left) left = x;
      if (x >= right) right = x + 1;
      if (y < top) top = y;
      bottom = y + 1;
    }
  }
  return bottom === 0 ? { left: 0, top: 0, right: 0, bottom: 0 } : { left, top, right, bottom };
}

/**
 * Gives from which row to which there is more than a level.
 *
 * @param {Float32Array | Uint8Array} data
 * @param {number} width
 * @param {number} level
 */
function heightOf(data, width, level) {
  /** @type {(at: number) => number} */
  const rowOf = (at) => Math.floor(at / width);
  const first = data.findIndex((own) => own > level);
  return first < 0 ? 0 : rowOf(data.findLastIndex((own) => own > level)) - rowOf(first) + 1;
}

/**
 * @param {Components} found
 * @param {(label: number) => boolean} isWanted
 * @returns {number[]}  Labels, without that of what lies around.
 */
function labelsWhere({ count }, isWanted) {
  return Array.from({ length: count - 1 }, (_, at) => at + 1).filter(isWanted);
}

/**
 * Goes through the pixels of a component, row by row.
 *
 * @param {Components} found
 * @param {number} label
 * @param {number} width  Of the picture.
 * @param {(at: number, x: number, y: number) => void} see
 */
function eachOf({ labels, left, top, width: across, height: down }, label, width, see) {
  for (let y = top[label]; y < top[label] + down[label]; y += 1) {
    for (let x = left[label]; x < left[label] + across[label]; x += 1) {
      if (labels[y * width + x] === label) see(y * width + x, x, y);
    }
  }
}

/**
 * @param {Components} found
 * @param {number[]} wanted  Labels.
 * @param {number} width  Of the picture.
 * @param {number} height
 * @returns {Plane}
 */
function maskOf({ count, labels }, wanted, width, height) {
  const isWanted = new Uint8Array(count);
  for (const label of wanted) isWanted[label] = 1;
  const data = new Uint8Array(labels.length);
  for (let at = 0; at < labels.length; at += 1) data[at] = isWanted[labels[at]];
  return { data, width, height };
}

/**
 * @param {Plane} mask
 * @returns {Uint8Array}  For each column whether there is anything.
 */
function anyDown({ data, width }) {
  const found = new Uint8Array(width);
  for (let start = 0; start < data.length; start += width) {
    for (let x = 0; x < width; x += 1) found[x] |= data[start + x];
  }
  return found;
}

/** @param {ArrayLike<number>} values */
function least(values) {
  let found = Infinity;
  for (let at = 0; at < values.length; at += 1) if (values[at] < found) found = values[at];
  return found;
}

/** @param {ArrayLike<number>} values */
function most(values) {
  let found = -Infinity;
  for (let at = 0; at < values.length; at += 1) if (values[at] > found) found = values[at];
  return found;
}

/** @param {ArrayLike<number>} values */
function extent(values) {
  return most(values) - least(values);
}

/** @param {ArrayLike<number>} values */
function total(values) {
  let sum = 0;
  for (let at = 0; at < values.length; at += 1) sum += values[at];
  return sum;
}

/** @param {ArrayLike<number>} values */
function variance(values) {
  const middle = total(values) / values.length;
  let sum = 0;
  for (let at = 0; at < values.length; at += 1) sum += (values[at] - middle) ** 2;
  return sum / values.length;
}

/**
 * @param {Float32Array} sorted  Ascending.
 * @param {number} share
 */
function sortedQuantile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const at = Math.floor(place);
  return sorted[at] + (sorted[Math.min(at + 1, sorted.length - 1)] - sorted[at]) * (place - at);
}
