// From a page or from strokes to lines, words, and the candidates for characters: a port of penread.lines, function by
// function, which says more of why. Ink is a cloud of points that belong to parts, pixels or points along strokes.

import {
  argmin,
  argsort,
  clip,
  greatest,
  grouped,
  hypot,
  interpolate,
  least,
  linspace,
  mean,
  median,
  numbered,
  quantiles,
  roundHalfEven,
  searchLeft,
  searchRight,
  sum,
  unique,
} from "./arrays.js";
import { drawGlyph, InputError } from "./ink.js";
import { fromInkMap as drawInkMap } from "./inkmap.js";
import { components, dilate } from "./morphology.js";
import { above } from "./paper.js";
import { crop, shrink } from "./planes.js";

/**
 * @typedef {import("../strokes.js").Stroke} Stroke
 * @typedef {import("./arrays.js").Numbers} Numbers
 * @typedef {import("./morphology.js").Components} Components
 * @typedef {import("./planes.js").FloatPlane} InkMap
 * @typedef {import("./planes.js").Plane} Plane
 *
 * @typedef {object} Box  A rectangle, y downwards; right and bottom are outside.
 * @property {number} left
 * @property {number} top
 * @property {number} right
 * @property {number} bottom
 *
 * @typedef {object} Span  Consecutive pieces of a word that may be one character.
 * @property {number} first  Its first piece.
 * @property {number} last  One past its last piece.
 * @property {Box} box  Where its ink is, in the unit of the strokes, or in pixels.
 * @property {Uint8Array} glyph  Its ink alone, 28 × 28.
 * @property {number} logPrior  How well it is shaped for one character by geometry alone, nats.
 *
 * @typedef {object} Word  Pieces without a space between them; every reading is a path of spans over all of them.
 * @property {number} pieces  How many there are, in reading order.
 * @property {Span[]} spans
 *
 * @typedef {object} Line
 * @property {Word[]} words  In reading order.
 * @property {Box} box
 * @property {number} slope  y grows by this much for each unit of x.
 *
 * @typedef {object} Cloud  Ink as points.
 * @property {Float64Array} x
 * @property {Float64Array} y
 * @property {Int32Array} part  The part of each point; the points of a part lie together.
 * @property {number | null} area  How much ink one point stands for: 1 pixel; null for strokes.
 * @property {number | null} pen  Width of the pen; null for strokes.
 * @property {number} size  Width and height of a point itself: 1 for a pixel, 0 for the points of a stroke.
 *
 * @typedef {[first: number, last: number, logPrior: number]} PlainSpan
 *
 * @typedef {object} Plan  What was decided for one line; pieces are counted over all lines.
 * @property {{ start: number, end: number, spans: PlainSpan[] }[]} words
 * @property {number} slope
 *
 * @typedef {object} LaidOut  A line with its pieces in reading order.
 * @property {Int32Array} piece  The piece of each point of the line.
 * @property {Box[]} boxes  Of the pieces, in the line's own upright frame, in units of the height of its text.
 * @property {PlainSpan[]} spans  Every single piece among them.
 * @property {number[]} best  The edges of characters on the path of spans with the highest sum of log priors.
 *
 * @typedef {object} Frame  A line's points in its own upright frame, in units of the height of its text.
 * @property {Float64Array} x
 * @property {Float64Array} y
 */

/** A drawing with more pieces than this is refused. */
export const MAX_PARTS = 6_000;
/** And with more lines than this. */
export const MAX_LINES = 500;
/** The most pieces in a span. */
export const MAX_PIECES = 5;

/** A map with more pixels of ink than this is halved until it has fewer: its strokes are many pixels wide. */
const MAX_INK_PIXELS = 4_000_000;
/** A character is drawn from no more pixels than this on its longer side. */
const CROP_PX = 160;
/** About as many points are laid along strokes at most. */
const MAX_POINTS = 300_000;
/** Strokes less high are dots. */
const MIN_EXTENT = 1e-9;
/** Text lower than this many pixels can't be read. */
const MIN_TEXT_PX = 6;
/** Lines run at most at this angle against the page. */
const MAX_SKEW = Math.tan(12 * (Math.PI / 180));
/** The width of a pen, of the height of text, where ink is strokes without a width. */
const PEN = 0.1;
// Narrower parts aren't cut; a cut is this far from the next and from the ends; the columns in which ink is counted;
// how cuts lean. All in heights of the text.
const MIN_CUT_WIDTH = 0.6;
const CUT_MARGIN = 0.14;
const CUT_BIN = 0.04;
const CUT_SLANTS = [0, -0.35, 0.35];
/** The most places at which the bend of a line is looked at. */
const BENDS = 200;
// The log odds that two pieces side by side are of different characters: without regard to anything; and for each
// height of the text between their nearest points, between their boxes, of the narrower one's width, of the lower one's
// height. Where a part was cut: without regard to anything, for the narrower one's width, and for what the width of
// both is above 0.9.
const COMPONENT_ODDS = [-2.4, 6.0, 11.0, 7.0, 4.5];
const STROKE_ODDS = [-4.2, 12.0, 16.0, 9.5, 2.0];
const CUT_ODDS = [-3.8, 3.4, 5.7];
/** Spans of several pieces that are less probable, by the logarithm, aren't offered. */
const LEAST_PRIOR = -9.0;
/** Parts lower than this, of the height of the text, follow others into their line. */
const SMALL = 0.4;
// Gaps are compared by the logarithm of gap plus half a height: of the distance from character to character, nearly.
const USUAL_GAP = [Math.log(0.75), 0.3];
const GAP_SPREAD = 0.2;
const SPACE_SPREAD = 0.3;
const SPACE_ODDS = Math.log(0.2 / 0.8);

/** Slopes of pages and slants of writing that are tried, the least first. */
const SLOPES = byMagnitude(Array.from({ length: 49 }, (_, at) => Math.tan((-12 + at * 0.5) * (Math.PI / 180))));
// Summed up as NumPy does: of two that are as far from upright, the one that leans forward comes first.
const SLANTS = byMagnitude(Array.from({ length: 17 }, (_, at) => -0.6 + at * (-0.6 + 0.1 + 0.6)));

/**
 * Finds the lines of a page.
 *
 * @param {InkMap} map  Without background, ruling and frames.
 * @returns {Line[]}  From top to bottom, with boxes in pixels of the map; none where nothing looks like text.
 * @throws {InputError}  It is more than is looked at: a pattern or noise, or several pages.
 */
export function fromInkMap(map) {
  let ink = map;
  let full = 1;
  while (inkPixels(ink) > MAX_INK_PIXELS) {
    ink = shrink(ink, Math.max(roundHalfEven(ink.width / 2), 1), Math.max(roundHalfEven(ink.height / 2), 1));
    full *= 2;
  }
  const { width } = ink;
  const cloud = cloudOf(ink);
  if (cloud === null) return [];
  const { pieces, plans } = segment(cloud, false);
  const pieceAt = new Int32Array(ink.data.length).fill(-1);
  pieces.forEach((piece, at) => (pieceAt[cloud.y[at] * width + cloud.x[at]] = piece));

  /** @type {(first: number, last: number, box: Box) => Uint8Array} */
  const draw = (first, last, { left, top, right, bottom }) => {
    // The soft edge of ink lies around its pixels; that of another piece is left out.
    const part = crop(ink, left - 1, top - 1, right + 1, bottom + 1);
    const [cornerX, cornerY] = [Math.max(left - 1, 0), Math.max(top - 1, 0)];
    const own = { ...part, data: new Uint8Array(part.data.length) };
    const isTaken = new Uint8Array(part.data.length);
    for (let y = 0, at = 0; y < part.height; y += 1) {
      for (let x = 0; x < part.width; x += 1, at += 1) {
        const piece = pieceAt[(cornerY + y) * width + cornerX + x];
        if (piece >= first && piece < last) own.data[at] = 1;
        else if (piece >= 0) isTaken[at] = 1;
      }
    }
    const near = dilate(own, 3, 3).data;
    for (let at = 0; at < near.length; at += 1) if (near[at] === 0 || isTaken[at] === 1) part.data[at] = 0;
    const finer = Math.max(part.width, part.height) / CROP_PX;
    if (finer <= 1) return drawInkMap(part);
    const [across, down] = [part.width, part.height].map((side) => Math.max(roundHalfEven(side / finer), 1));
    return drawInkMap(shrink(part, across, down));
  };

  const lines = lattice(cloud, pieces, plans, draw);
  return full === 1 ? lines : lines.map((line) => enlarged(line, full));
}

/**
 * Brings a line's boxes into a unit that is smaller.
 *
 * @param {Line} line
 * @param {number} by
 * @returns {Line}
 */
function enlarged(line, by) {
  /** @type {(box: Box) => Box} */
  const scaled = ({ left, top, right, bottom }) => ({
    left: left * by,
    top: top * by,
    right: right * by,
    bottom: bottom * by,
  });
  const words = line.words.map((word) => ({
    ...word,
    spans: word.spans.map((span) => ({ ...span, box: scaled(span.box) })),
  }));
  return { ...line, words, box: scaled(line.box) };
}

/** @param {InkMap} ink */
function inkPixels({ data }) {
  let count = 0;
  for (let at = 0; at < data.length; at += 1) if (data[at] > 0.5) count += 1;
  return count;
}

/**
 * Gives the connected components that may be text as parts; null where there is none.
 *
 * @param {InkMap} ink
 * @returns {Cloud | null}
 */
function cloudOf(ink) {
  const mask = above(ink, 0.5);
  const { width, height } = mask;
  const found = components(mask);
  const isLarge = Array.from(found.width, (across, label) => label > 0 && Math.max(across, found.height[label]) >= 3);
  const large = placesOf(isLarge);
  if (large.length === 0) return null;
  // A stroke of w pixels has two pixels of outline for each w of area.
  const outlined = outlinePixels(mask, found);
  const pens = large.map((label) => (2 * found.area[label]) / outlined[label]);
  const pen = Math.max(weightedQuantile(pens, picked(outlined, large), 0.5), 1);
  // What is left of the page's edge, or of the table beside it, runs along the border of the map.
  const boxes = Array.from(found.width, (across, label) => {
    const [left, top] = [found.left[label], found.top[label]];
    return { left, top, right: left + across, bottom: top + found.height[label] };
  });
  const text = textHeight(
    large.map((label) => boxes[label]),
    pen,
  );
  const number = new Int32Array(found.count).fill(-1);
  let count = 0;
  for (const label of large) {
    const box = boxes[label];
    const isOnBorder = box.left === 0 || box.top === 0 || box.right === width || box.bottom === height;
    if (isOnBorder && (widthOf(box) > 8 * text || heightOf(box) > 4 * text)) continue;
    number[label] = count;
    count += 1;
  }
  if (count === 0) return null;
  // The points of a part lie together, row by row.
  const { labels } = found;
  const next = new Int32Array(count);
  let points = 0;
  for (const label of large) {
    if (number[label] < 0) continue;
    next[number[label]] = points;
    points += found.area[label];
  }
  const [x, y, part] = [new Float64Array(points), new Float64Array(points), new Int32Array(points)];
  for (let row = 0, at = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, at += 1) {
      const own = number[labels[at]];
      if (own < 0) continue;
      const place = next[own]++;
      x[place] = column;
      y[place] = row;
      part[place] = own;
    }
  }
  return { x, y, part, area: 1, pen, size: 1 };
}

/**
 * Counts the pixels of each component that lie beside what is none of it.
 *
 * @param {Plane} mask
 * @param {Components} found
 * @returns {Int32Array}
 */
function outlinePixels({ data, width, height }, { count, labels }) {
  const counts = new Int32Array(count);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      if (data[at] === 0) continue;
      const isInside =
        x > 0 &&
        y > 0 &&
        x < width - 1 &&
        y < height - 1 &&
        data[at - 1] + data[at + 1] + data[at - width] + data[at + width] === 4 &&
        data[at - width - 1] + data[at - width + 1] + data[at + width - 1] + data[at + width + 1] === 4;
      if (!isInside) counts[labels[at]] += 1;
    }
  }
  return counts;
}

/**
 * Finds the lines of what was drawn on a canvas: one character, a word or several lines.
 *
 * @param {readonly Stroke[]} strokes  In any order. No stroke is left out of the pieces.
 * @returns {Line[]}  From top to bottom; none where there is no ink.
 * @throws {InputError}  It is more than is looked at: a pattern or noise, or several pages.
 */
export function fromStrokes(strokes) {
  const drawn = strokes.filter((stroke) => stroke.length > 0);
  if (drawn.length === 0) return [];
  const dense = resampled(drawn);
  const points = dense.flat();
  const cloud = {
    x: Float64Array.from(points, ([x]) => x),
    y: Float64Array.from(points, ([, y]) => y),
    part: Int32Array.from(dense.flatMap((stroke, number) => stroke.map(() => number))),
    area: null,
    pen: null,
    size: 0,
  };
  const { pieces, plans } = segment(cloud, true);
  const byPiece = grouped(pieces, greatest(pieces) + 1);

  /** @type {(first: number, last: number) => Uint8Array} */
  const draw = (first, last) => {
    // Points that follow each other on a stroke are a stroke again; a whole stroke is the very one that was given.
    const inside = byPiece.order.slice(byPiece.starts[first], byPiece.starts[last]).sort();
    /** @type {Stroke[]} */
    const runs = [];
    for (let begin = 0, end = 0; begin < inside.length; begin = end) {
      const number = cloud.part[inside[begin]];
      end = begin + 1;
      while (end < inside.length && inside[end] === inside[end - 1] + 1 && cloud.part[inside[end]] === number) end += 1;
      const whole = end - begin === dense[number].length;
      runs.push(whole ? drawn[number] : points.slice(inside[begin], inside[end - 1] + 1));
    }
    return drawGlyph(runs);
  };

  return lattice(cloud, pieces, plans, draw);
}

/**
 * Draws the glyphs and builds the lattice.
 *
 * @param {Cloud} cloud
 * @param {Int32Array} pieces  The piece of each point, -1 for none.
 * @param {Plan[]} plans
 * @param {(first: number, last: number, box: Box) => Uint8Array} draw
 * @returns {Line[]}
 */
function lattice(cloud, pieces, plans, draw) {
  const boxes = boxesOf(cloud.x, cloud.y, pieces, cloud.size);
  return plans.map(({ words, slope }) => ({
    words: words.map(({ start, end, spans }) => ({
      pieces: end - start,
      spans: spans.map(([first, last, logPrior]) => {
        const box = boxAround(boxes.slice(first, last));
        return { first: first - start, last: last - start, box, glyph: draw(first, last, box), logPrior };
      }),
    })),
    box: boxAround(boxes.slice(words[0].start, words[words.length - 1].end)),
    slope,
  }));
}

/**
 * Puts points along the strokes, as near as the height of the text asks for and `MAX_POINTS` allow.
 *
 * @param {Stroke[]} strokes
 * @returns {Stroke[]}
 */
function resampled(strokes) {
  const heights = strokes.map((stroke) => extent(stroke.map(([, y]) => y)));
  const along = strokes.map((stroke) => {
    const lengths = new Float64Array(stroke.length);
    for (let at = 1; at < stroke.length; at += 1) {
      lengths[at] = lengths[at - 1] + hypot(stroke[at][0] - stroke[at - 1][0], stroke[at][1] - stroke[at - 1][1]);
    }
    return lengths;
  });
  const lengths = along.map((places) => places[places.length - 1]);
  const text = greatest(heights) > 0 ? weightedQuantile(heights, heights, 0.8) : greatest(lengths);
  const step = Math.max((text * PEN) / 6, sum(lengths) / MAX_POINTS);
  return strokes.map((stroke, number) => {
    if (stroke.length === 1 || step < MIN_EXTENT / 100) return stroke;
    const xs = Float64Array.from(stroke, ([x]) => x);
    const ys = Float64Array.from(stroke, ([, y]) => y);
    const negated = [xs, ys].map((values) => values.map((value) => -value));
    // The points that bound the stroke are among them: boxes are exact.
    const bounds = [xs, ys, ...negated].map((values) => along[number][argmin(values)]);
    const even = linspace(0, lengths[number], Math.max(Math.ceil(lengths[number] / step), 1) + 1);
    return Array.from(unique([...even, ...bounds]), (place) => [
      interpolate(place, along[number], xs),
      interpolate(place, along[number], ys),
    ]);
  });
}

/**
 * @param {Numbers} values
 * @param {Numbers} weights
 * @param {number} quantile
 * @returns {number}
 */
function weightedQuantile(values, weights, quantile) {
  const order = argsort(values);
  let total = 0;
  const totals = order.map((at) => (total += weights[at]));
  return values[order[Math.min(searchLeft(totals, quantile * total), order.length - 1)]];
}

/**
 * Groups parts that come within about `reach` of each other. Two tall parts one above the other are of two lines, and
 * don't count as one.
 *
 * @param {Cloud} cloud
 * @param {Box[]} boxes
 * @param {number} reach
 * @param {number} text
 * @returns {Int32Array}  The group of each part.
 */
function touching({ x, y, part }, boxes, reach, text) {
  // However far apart the ink is, the cells of the grid can be counted.
  const cell = Math.max(reach, Math.max(extent(x), extent(y)) / 1e5, 1e-9);
  const [left, top] = [least(x), least(y)];
  const count = boxes.length;
  const wide = Math.floor((greatest(x) - left) / cell) + 3;
  // Which parts there are in each cell of a grid.
  const keys = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += 1) {
    keys[at] = (Math.floor((y[at] - top) / cell) * wide + Math.floor((x[at] - left) / cell)) * count + part[at];
  }
  const there = unique(keys);
  const cells = there.map((key) => Math.floor(key / count));
  const group = Int32Array.from(boxes, (_, at) => at);
  /** @type {(one: number) => number} */
  const rootOf = (one) => {
    while (group[one] !== one) one = group[one];
    return one;
  };
  /** @type {(at: number, other: number) => void} */
  const join = (at, other) => {
    const [one, two] = [there[at] % count, there[other] % count];
    if (one === two || areStacked(boxes[one], boxes[two], text)) return;
    const [low, high] = [rootOf(one), rootOf(two)].sort((a, b) => a - b);
    group[high] = low;
  };
  for (let at = 1; at < there.length; at += 1) if (cells[at] === cells[at - 1]) join(at - 1, at);
  for (const beside of [1, wide - 1, wide, wide + 1]) {
    for (let at = 0; at < there.length; at += 1) {
      const other = searchLeft(cells, cells[at] + beside);
      if (other < cells.length && cells[other] === cells[at] + beside) join(at, other);
    }
  }
  return numbered(group.map((_, at) => rootOf(at)));
}

/**
 * @param {Box} one
 * @param {Box} other
 * @param {number} text
 * @returns {boolean}
 */
function areStacked(one, other, text) {
  const [height, otherHeight] = [heightOf(one), heightOf(other)];
  const joint = Math.max(one.bottom, other.bottom) - Math.min(one.top, other.top);
  return Math.min(height, otherHeight) >= 0.5 * text && joint > 1.4 * Math.max(height, otherHeight, text);
}

/**
 * Gives the box around the points of each label; those below 0 are left out.
 *
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {Int32Array} labels  Every number from 0 to the highest has points.
 * @param {number} size  Of a point itself.
 * @returns {Box[]}
 */
function boxesOf(x, y, labels, size) {
  /** @type {Box[]} */
  const boxes = Array.from({ length: greatest(labels) + 1 }, () => boxAround([]));
  labels.forEach((label, at) => {
    if (label < 0) return;
    const box = boxes[label];
    box.left = Math.min(box.left, x[at]);
    box.top = Math.min(box.top, y[at]);
    box.right = Math.max(box.right, x[at] + size);
    box.bottom = Math.max(box.bottom, y[at] + size);
  });
  return boxes;
}

/**
 * Gives the box around each group of boxes.
 *
 * @param {Box[]} boxes
 * @param {Int32Array} group  The group of each, every number from 0 to the highest.
 * @returns {Box[]}
 */
function around(boxes, group) {
  const { order, starts } = grouped(group, greatest(group) + 1);
  return Array.from(starts.subarray(1), (end, at) =>
    boxAround(Array.from(order.subarray(starts[at], end), (member) => boxes[member])),
  );
}

/**
 * @param {readonly Box[]} boxes
 * @returns {Box}  The box around them all, inside out where there are none.
 */
function boxAround(boxes) {
  return {
    left: least(boxes.map((box) => box.left)),
    top: least(boxes.map((box) => box.top)),
    right: greatest(boxes.map((box) => box.right)),
    bottom: greatest(boxes.map((box) => box.bottom)),
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// From parts to pieces

/**
 * Finds lines, pieces, spans and words.
 *
 * @param {Cloud} cloud
 * @param {boolean} keepAll  Specks are ink too: whoever drew strokes meant them.
 * @returns {{ pieces: Int32Array, plans: Plan[] }}  The piece of each point, -1 where it is none; and the lines. Pieces
 *   count from 0 over all lines.
 */
function segment(cloud, keepAll) {
  const boxes = boxesOf(cloud.x, cloud.y, cloud.part, cloud.size);
  let text = textHeight(boxes, cloud.pen);
  const pen = cloud.pen ?? text * PEN;
  // Even a page of broken strokes has no more parts: what follows would take long to find that out.
  checkParts(boxes.filter((box) => heightOf(box) >= SMALL * text).length >> 3);
  // Strokes that touch, and the bits of a broken one, are at the same height of a line: that of all of them counts.
  let group = touching(cloud, boxes, pen, text);
  const joined = around(boxes, group);
  text = textHeight(joined, cloud.pen);
  const pieces = new Int32Array(cloud.part.length).fill(-1);
  if (cloud.pen !== null && text < MIN_TEXT_PX) return { pieces, plans: [] };
  // What is joined is higher than a line: each for itself.
  group = numbered(group.map((own, at) => (heightOf(joined[own]) > 1.6 * text ? joined.length + at : own)));
  const { lineOfPoint, slopes } = findLines(cloud, boxes, group, text, pen, keepAll);
  const { order, starts } = grouped(lineOfPoint, slopes.length);
  let count = 0;
  const laidOut = slopes.map((slope, line) => {
    const own = order.subarray(starts[line], starts[line + 1]);
    const part = own.map((at) => cloud.part[at]);
    const laid = layOut(picked(cloud.x, own), picked(cloud.y, own), part, slope, text, pen, cloud);
    own.forEach((at, place) => (pieces[at] = laid.piece[place] + count));
    const offset = count;
    count += laid.boxes.length;
    checkParts(count);
    return { offset, laid };
  });
  const breaks = findSpaces(laidOut.map(({ laid }) => laid));
  const plans = laidOut.map(({ offset, laid }, line) => {
    const edges = [0, ...breaks[line], laid.boxes.length];
    const words = edges.slice(1).map((end, at) => {
      const start = edges[at];
      /** @type {PlainSpan[]} */
      const spans = laid.spans
        .filter(([first, last]) => first >= start && last <= end)
        .map(([first, last, prior]) => [first + offset, last + offset, prior]);
      return { start: start + offset, end: end + offset, spans };
    });
    return { words, slope: slopes[line] };
  });
  return { pieces, plans };
}

/** @param {number} count */
function checkParts(count) {
  if (count > MAX_PARTS) throw new InputError(`There are more than ${MAX_PARTS} pieces of ink.`);
}

/**
 * Judges the height of text: tall parts weigh more than specks, but none much more than a character.
 *
 * @param {Box[]} boxes
 * @param {number | null} pen
 * @returns {number}
 */
function textHeight(boxes, pen) {
  const heights = boxes.map(heightOf);
  const long = boxes.map((box) => Math.max(widthOf(box), heightOf(box)));
  const weights =
    pen === null ? heights : heights.map((height, at) => (long[at] >= 2.5 * pen ? Math.min(height, 20 * pen) : 0));
  if (greatest(heights) < 0.1 * greatest(long) || weights.every((weight) => weight === 0)) {
    return Math.max(greatest(long), MIN_EXTENT);
  }
  // What is far higher than most is no character but two of different lines, or a blot.
  const most = 1.7 * weightedQuantile(heights, weights, 0.5);
  const usual = heights.flatMap((height, at) => (height <= most ? [at] : []));
  const quantile = weightedQuantile(picked(heights, usual), picked(weights, usual), 0.8);
  return Math.max(quantile, MIN_EXTENT);
}

// ---------------------------------------------------------------------------------------------------------------------
// Lines

/**
 * Finds the line of each point, -1 for none, and the slope of each line. Lines go from top to bottom.
 *
 * @param {Cloud} cloud
 * @param {Box[]} partBoxes
 * @param {Int32Array} group  The group of each part.
 * @param {number} text
 * @param {number} pen
 * @param {boolean} keepAll
 * @returns {{ lineOfPoint: Int32Array, slopes: number[] }}
 */
function findLines(cloud, partBoxes, group, text, pen, keepAll) {
  const boxes = around(partBoxes, group);
  const x = Float64Array.from(boxes, (box) => (box.left + box.right) / 2);
  const y = Float64Array.from(boxes, (box) => (box.top + box.bottom) / 2);
  let core = boxes.map((box) => heightOf(box) >= SMALL * text && heightOf(box) <= 4 * text);
  if (keepAll && !core.includes(true)) {
    const long = boxes.map((box) => Math.max(widthOf(box), heightOf(box)));
    const longest = greatest(long);
    core = long.map((side) => side >= 0.5 * longest);
  }
  // What reaches through two lines follows when the lines are known; and so does what is small.
  const isHigh = boxes.map((box) => heightOf(box) > 1.7 * text);
  let single = core.map((isCore, at) => isCore && !isHigh[at]);
  if (!single.includes(true)) single = core;
  const high = placesOf(single.map((isSingle, at) => !isSingle && isHigh[at] && (core[at] || keepAll)));
  const small = placesOf(single.map((isSingle, at) => !isSingle && !isHigh[at]));
  let chained = placesOf(single);
  checkParts(chained.length);
  const lineOf = new Int32Array(boxes.length).fill(-1);
  let skew = 0;
  if (chained.length > 0) {
    skew = findSkew(picked(x, chained), picked(y, chained), text);
    const own = chained.map((at) => boxes[at]);
    let lines = oneColumn(chain(picked(x, chained), picked(y, chained), skew, text), own);
    if (!keepAll) lines = withoutDebris(lines, own, text);
    chained.forEach((at, place) => (lineOf[at] = lines[place]));
    chained = chained.filter((at) => lineOf[at] >= 0);
  }
  if (chained.length === 0) return { lineOfPoint: new Int32Array(cloud.part.length).fill(-1), slopes: [] };
  const lineOfCore = Int32Array.from(chained, (at) => lineOf[at]);
  const [smallBoxes, coreBoxes] = [small, chained].map((places) => places.map((at) => boxes[at]));
  const followed = follow(smallBoxes, coreBoxes, lineOfCore, text, pen, keepAll);
  small.forEach((at, place) => (lineOf[at] = followed[place]));
  const curves = new Curves(picked(x, chained), picked(y, chained), lineOfCore, skew, text);
  const lineOfPoint = cloud.part.map((part) => lineOf[group[part]]);
  const { order, starts } = grouped(high.length > 0 ? cloud.part.map((part) => group[part]) : [], boxes.length);
  for (const tall of high) {
    const own = order.subarray(starts[tall], starts[tall + 1]);
    const through = throughLines(picked(cloud.x, own), picked(cloud.y, own), curves, text, keepAll);
    own.forEach((at, place) => (lineOfPoint[at] = through[place]));
  }
  // Lines are numbered anew, from top to bottom.
  const used = unique(lineOfPoint.filter((line) => line >= 0));
  const ordered = argsort(used.map((line) => curves.offset(line))).map((at) => used[at]);
  const renumber = new Map(ordered.map((line, number) => [line, number]));
  return {
    lineOfPoint: lineOfPoint.map((line) => renumber.get(line) ?? -1),
    slopes: ordered.map((line) => curves.slope(line)),
  };
}

/**
 * Finds the slope along which the parts lie in the sharpest rows.
 *
 * @param {Float64Array} x  Middles of the parts.
 * @param {Float64Array} y
 * @param {number} text
 * @returns {number}
 */
function findSkew(x, y, text) {
  let [best, bestScore] = [0, -1];
  for (const slope of SLOPES) {
    const rows = y.map((middle, at) => (middle - slope * x[at]) / text);
    // Rows of half a height, and others between them.
    const squares = [0, 0.5].map((shift) => squaredCounts(rows.map((row) => Math.floor(row * 2 + shift))));
    // Against a turn without need: a few characters lie on many straight lines.
    const score = (squares[0] + squares[1]) * (1 - 0.4 * (slope / MAX_SKEW) ** 2);
    if (score > bestScore) [best, bestScore] = [slope, score];
  }
  return best;
}

/**
 * Follows lines from left to right: each part joins the line whose last parts point at it, or begins one.
 *
 * @param {Float64Array} x  Middles of the parts.
 * @param {Float64Array} y
 * @param {number} skew
 * @param {number} text
 * @returns {Int32Array}  The line of each part.
 */
function chain(x, y, skew, text) {
  const level = y.map((middle, at) => middle - skew * x[at]);
  /** A line's last parts, each weighing a quarter less than the next: sums of weight, x, y, xx and xy.
   * @type {number[][]} */
  const sums = [];
  const lineOf = new Int32Array(x.length);
  for (const part of argsort(x)) {
    const away = sums.map(([weight, sumX, sumY, sumXX, sumXY]) => {
      const [meanX, meanY] = [sumX / weight, sumY / weight];
      const spread = sumXX / weight - meanX ** 2;
      const slope = (sumXY / weight - meanX * meanY) / (spread + (4 * text) ** 2);
      return Math.abs(level[part] - meanY - slope * (x[part] - meanX));
    });
    let line = argmin(away);
    if (sums.length === 0 || away[line] > 0.6 * text) {
      line = sums.length;
      if (line >= MAX_LINES) throw new InputError(`There are more than ${MAX_LINES} lines.`);
      sums.push([0, 0, 0, 0, 0]);
    }
    const one = [1, x[part], level[part], x[part] ** 2, x[part] * level[part]];
    sums[line] = sums[line].map((value, at) => 0.75 * value + one[at]);
    lineOf[part] = line;
  }
  return merged(lineOf, x, level, text, skew);
}

/**
 * Joins lines that lie on one another, and lets each part go over to a line that it is much nearer to.
 *
 * @param {Int32Array} lineOf
 * @param {Float64Array} x
 * @param {Float64Array} level  y, the skew taken away.
 * @param {number} text
 * @param {number} skew
 * @returns {Int32Array}
 */
function merged(lineOf, x, level, text, skew) {
  const y = level.map((value, at) => value + skew * x[at]);
  for (let round = 0; round < 3; round += 1) {
    const before = new Curves(x, y, lineOf, skew, text);
    const distances = before.away(x, y);
    lineOf = lineOf.map((line, part) => {
      const ofPart = distances.map((ofLine) => ofLine[part]);
      const nearest = argmin(ofPart);
      const own = ofPart[searchLeft(before.lines, line)];
      return ofPart[nearest] < 0.5 * own - 0.05 * text ? before.lines[nearest] : line;
    });
    // A line most of whose parts lie within another's band is that line.
    const { lines, away } = withAway(new Curves(x, y, lineOf, skew, text), x, y);
    const counts = new Int32Array(greatest(lines) + 1);
    for (const line of lineOf) counts[line] += 1;
    for (const at of argsort(lines.map((line) => counts[line]))) {
      const line = lines[at];
      const members = placesOf(Array.from(lineOf, (own) => own === line));
      const distance = away.map((ofLine, other) =>
        lines[other] === line || counts[lines[other]] === 0 ? Infinity : median(picked(ofLine, members)),
      );
      const nearest = argmin(distance);
      const other = lines[nearest];
      // One or two parts beside a longer line are high or low ones of it.
      const few = counts[line] <= 2 && counts[other] >= 4;
      if (distance[nearest] < (few ? 0.75 : 0.45) * text) {
        for (const member of members) lineOf[member] = other;
        counts[other] += counts[line];
        counts[line] = 0;
      }
    }
    lineOf = numbered(lineOf);
  }
  return lineOf;
}

/**
 * @param {Curves} curves
 * @param {Float64Array} x
 * @param {Float64Array} y
 */
function withAway(curves, x, y) {
  return { lines: curves.lines, away: curves.away(x, y) };
}

/** Where the middles of lines run: straight lines, bent a little where the writing is. */
class Curves {
  /**
   * @param {Float64Array} x  Middles of the parts.
   * @param {Float64Array} y
   * @param {Int32Array} lineOf  The line of each.
   * @param {number} skew
   * @param {number} text
   */
  constructor(x, y, lineOf, skew, text) {
    this.lines = Int32Array.from(unique(lineOf.filter((line) => line >= 0)));
    /** @type {Map<number, { meanX: number, meanY: number, slope: number, at: Float64Array, bend: Float64Array }>} */
    this.fits = new Map();
    for (const line of this.lines) {
      const members = placesOf(Array.from(lineOf, (own) => own === line));
      const [ownX, ownY] = [picked(x, members), picked(y, members)];
      const [meanX, meanY] = [mean(ownX), mean(ownY)];
      const spread = sum(ownX.map((value) => (value - meanX) ** 2));
      const along = sum(ownX.map((value, at) => (value - meanX) * (ownY[at] - meanY)));
      // Few parts near each other say little of the slope: the page's is then taken.
      const slope = (along + skew * (6 * text) ** 2) / (spread + (6 * text) ** 2);
      const count = Math.min(Math.floor(extent(ownX) / (2 * text)) + 2, BENDS);
      const at = linspace(least(ownX), greatest(ownX), count);
      const off = ownX.map((value, member) => ownY[member] - meanY - slope * (value - meanX));
      const bend = at.map((place) => {
        const near = ownX.map((value) => Math.exp(-0.5 * ((place - value) / (4 * text)) ** 2));
        return sum(near.map((weight, member) => weight * off[member])) / (sum(near) + 2);
      });
      this.fits.set(line, { meanX, meanY, slope, at, bend });
    }
  }

  /**
   * Gives the y of a line's middle at x.
   *
   * @param {number} line
   * @param {number} x
   */
  centre(line, x) {
    const { meanX, meanY, slope, at, bend } = this.fit(line);
    return meanY + slope * (x - meanX) + interpolate(x, at, bend);
  }

  /**
   * Gives the distance of each point from each line's middle, a list for each line.
   *
   * @param {Float64Array} x
   * @param {Float64Array} y
   */
  away(x, y) {
    return Array.from(this.lines, (line) => y.map((middle, at) => Math.abs(middle - this.centre(line, x[at]))));
  }

  /**
   * Gives how much y grows along a line for each unit of x.
   *
   * @param {number} line
   */
  slope(line) {
    return this.fit(line).slope;
  }

  /**
   * Gives a line's place from top to bottom.
   *
   * @param {number} line
   */
  offset(line) {
    const { meanX, meanY } = this.fit(line);
    return meanY - mean(Array.from(this.fits.values(), (fit) => fit.slope)) * meanX;
  }

  /** @param {number} line */
  fit(line) {
    const fit = this.fits.get(line);
    if (fit === undefined) throw new RangeError(`no line ${line}`);
    return fit;
  }
}

/**
 * Takes two lines for one where they are one narrow column almost without a gap: an 8 of two rings, a 3 of arcs.
 *
 * @param {Int32Array} lineOf
 * @param {Box[]} boxes
 * @returns {Int32Array}
 */
function oneColumn(lineOf, boxes) {
  if (greatest(lineOf) !== 1) return lineOf;
  const [upper, lower] = around(boxes, lineOf).sort((one, other) => one.top - other.top);
  const width = Math.max(upper.right, lower.right) - Math.min(upper.left, lower.left);
  const height = lower.bottom - upper.top;
  const overlap = Math.min(upper.right, lower.right) - Math.max(upper.left, lower.left);
  const isOne = width < 1.1 * height && lower.top - upper.bottom < 0.12 * height && overlap >= -0.1 * height;
  return isOne ? lineOf.map(() => 0) : lineOf;
}

/**
 * Drops lines of one or two parts that are low beside the text: curls of dust, the shadow of a staple.
 *
 * @param {Int32Array} lineOf
 * @param {Box[]} boxes
 * @param {number} text
 * @returns {Int32Array}
 */
function withoutDebris(lineOf, boxes, text) {
  const isDebris = Array.from({ length: greatest(lineOf) + 1 }, (_, line) => {
    const own = boxes.filter((_box, at) => lineOf[at] === line);
    return own.length <= 2 && Math.max(0, greatest(own.map(heightOf))) < 0.5 * text;
  });
  return lineOf.map((line) => (isDebris[line] ? -1 : line));
}

/**
 * Gives small parts the line of the part that they most probably belong to; -1 to specks.
 *
 * @param {Box[]} small
 * @param {Box[]} core  One at least.
 * @param {Int32Array} lineOfCore
 * @param {number} text
 * @param {number} pen
 * @param {boolean} keepAll
 * @returns {number[]}
 */
function follow(small, core, lineOfCore, text, pen, keepAll) {
  return small.map((own) => {
    const long = Math.max(widthOf(own), heightOf(own));
    if (!keepAll && long < 0.5 * pen) return -1;
    const beside = core.map((box) => Math.max(box.left - own.right, own.left - box.right, 0));
    const below = core.map((box) => Math.max(own.top - box.bottom, 0));
    const above = core.map((box) => Math.max(box.top - own.bottom, 0));
    // A dot stands well above its stem, so height above counts for less.
    const host = argmin(core.map((_, at) => hypot(beside[at], 0.6 * above[at] + below[at])));
    const distance = hypot(beside[host], above[host] + below[host]);
    const isBar = long >= 0.25 * text && distance <= 0.5 * text;
    const isBit = distance <= 0.12 * text;
    const isDot =
      widthOf(core[host]) < 0.7 * text &&
      beside[host] <= 0.4 * text &&
      above[host] <= 0.6 * text &&
      own.bottom <= core[host].top &&
      long >= 0.6 * pen;
    return keepAll || isBar || isBit || isDot ? lineOfCore[host] : -1;
  });
}

/**
 * Parts a tall part at the lines that it reaches through, where it is thin between them.
 *
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {Curves} curves
 * @param {number} text
 * @param {boolean} keepAll
 * @returns {Int32Array}
 */
function throughLines(x, y, curves, text, keepAll) {
  const at = mean(x);
  const centres = Array.from(curves.lines, (line) => ({ centre: curves.centre(line, at), line }));
  centres.sort((one, other) => one.centre - other.centre || one.line - other.line);
  const [top, bottom] = [least(y) - 0.1 * text, greatest(y) + 0.1 * text];
  const through = centres.filter(({ centre }) => top < centre && centre < bottom);
  if (through.length === 0) {
    const distances = centres.map(({ centre }) => Math.abs(centre - mean(y)));
    const nearest = argmin(distances);
    const isNear = distances[nearest] < 1.5 * text;
    return new Int32Array(x.length).fill(isNear || keepAll ? centres[nearest].line : -1);
  }
  const lineOf = new Int32Array(x.length).fill(through[0].line);
  const slope = curves.slope(through[0].line);
  const along = y.map((value, point) => value - slope * (x[point] - at));
  for (let next = 1; next < through.length; next += 1) {
    const [upper, lower] = [through[next - 1].centre, through[next].centre];
    const edges = linspace(upper + 0.3 * (lower - upper), upper + 0.7 * (lower - upper), 9);
    // In doubt in the middle.
    const cost = histogram(along, edges).map((count, bin) => count * (1 + 0.1 * Math.abs(bin - 3.5)));
    const thinnest = argmin(cost);
    const place = (edges[thinnest] + edges[thinnest + 1]) / 2;
    along.forEach((value, point) => {
      if (value > place) lineOf[point] = through[next].line;
    });
  }
  return lineOf;
}

// ---------------------------------------------------------------------------------------------------------------------
// Pieces and spans of a line

/**
 * Brings a line's parts into pieces in reading order, and finds its spans.
 *
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {Int32Array} partOf  The part of each point.
 * @param {number} slope
 * @param {number} text
 * @param {number} pen
 * @param {Cloud} cloud
 * @returns {LaidOut}
 */
function layOut(x, y, partOf, slope, text, pen, cloud) {
  const meanX = mean(x);
  const v = y.map((value, at) => value - slope * (x[at] - meanX));
  const meanV = mean(v);
  const [low, high] = quantiles(v, [0.05, 0.95]);
  // The line's own height; never far from that of the text, as a line of few letters may have low or tall ones only.
  const tall = clip((high - low) / 0.9 + cloud.size, 0.5 * text, 2 * text);
  const frame = { x: x.map((value) => (value - meanX) / tall), y: v.map((value) => (value - meanV) / tall) };
  const slant = findSlant(frame, partOf);
  frame.x.forEach((value, at) => (frame.x[at] = value + slant * frame.y[at]));
  const part = numbered(partOf);
  const area = cloud.area ?? stepArea(x, y, part, pen);
  const { atom, cut } = cutParts(frame, part, pen / tall, area / tall ** 2);
  const size = cloud.size / tall;
  // What strokes cover is judged with the pen.
  const edge = cloud.pen === null ? pen / tall / 2 : 0;
  const covered = boxesOf(frame.x, frame.y, atom, size).map(({ left, top, right, bottom }) => ({
    left: left - edge,
    top: top - edge,
    right: right + edge,
    bottom: bottom + edge,
  }));
  const pieceOfAtom = findPieces(covered, cut);
  const piece = atom.map((own) => pieceOfAtom[own]);
  const boxes = boxesOf(frame.x, frame.y, piece, size);
  const odds = cloud.pen === null ? STROKE_ODDS : COMPONENT_ODDS;
  const edges = cutEdges(pieceOfAtom, cut);
  const { spans, best } = findSpans(boxes, boundaries(frame, piece, boxes, edges, odds), edges);
  return { piece, boxes, spans, best };
}

/**
 * Gives the area of ink that one point of a stroke stands for.
 *
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {Int32Array} part
 * @param {number} pen
 * @returns {number}
 */
function stepArea(x, y, part, pen) {
  const steps = [];
  for (let at = 1; at < x.length; at += 1) {
    if (part[at] === part[at - 1]) steps.push(hypot(x[at] - x[at - 1], y[at] - y[at - 1]));
  }
  return steps.length > 0 ? median(steps) * pen : pen ** 2;
}

/**
 * Finds how far the writing leans: x grows by this for each unit of height. 0 where little speaks for it.
 *
 * @param {Frame} frame
 * @param {Int32Array} part
 * @returns {number}
 */
function findSlant(frame, part) {
  if (new Set(part).size < 3) return 0;
  const every = Math.floor(frame.x.length / 4000) + 1;
  const some = frame.x.filter((_, at) => at % every === 0);
  const columns = new Float64Array(some.length);
  let [best, bestScore] = [0, -1];
  for (const slant of SLANTS) {
    for (let at = 0; at < some.length; at += 1) columns[at] = Math.floor((some[at] + slant * frame.y[at * every]) * 16);
    const score = squaredCounts(columns) * (1 - 0.3 * slant ** 2);
    if (score > bestScore * 1.02) [best, bestScore] = [slant, score];
  }
  return best;
}

/**
 * Cuts wide parts where their ink is thin, from left to right.
 *
 * @param {Frame} frame
 * @param {Int32Array} part
 * @param {number} pen
 * @param {number} area
 * @returns {{ atom: Int32Array, cut: Int32Array }}  The atom of each point; and for each atom the atom that it was cut
 *   from on its left, -1 for none.
 */
function cutParts(frame, part, pen, area) {
  const { order, starts } = grouped(part, greatest(part) + 1);
  const atom = new Int32Array(part.length);
  /** @type {number[]} */
  const leftOf = [];
  for (let number = 0; number < starts.length - 1; number += 1) {
    const own = order.subarray(starts[number], starts[number + 1]);
    const ofPart = { x: picked(frame.x, own), y: picked(frame.y, own) };
    const places = thinPlaces(ofPart, pen, area);
    const passed = ofPart.x.map(
      (x, at) => places.filter(([slant, place]) => x + slant * ofPart.y[at] > place).length,
    );
    const placeOf = numbered(passed);
    const first = leftOf.length;
    own.forEach((at, place) => (atom[at] = first + placeOf[place]));
    for (let found = 0; found <= greatest(placeOf); found += 1) leftOf.push(found === 0 ? -1 : first + found - 1);
  }
  return { atom, cut: Int32Array.from(leftOf) };
}

/**
 * Finds where to cut a part: where there is less ink, or it is less high, than on both sides.
 *
 * @param {Frame} frame  Of the part.
 * @param {number} pen
 * @param {number} area
 * @returns {[slant: number, place: number][]}  Ink with `x + slant * y` beyond the place is on the right.
 */
function thinPlaces({ x, y }, pen, area) {
  if (extent(x) < MIN_CUT_WIDTH) return [];
  /** @type {[score: number, slant: number, place: number][]} */
  const found = [];
  for (const slant of CUT_SLANTS) {
    const u = x.map((value, at) => value + slant * y[at]);
    const [low, width] = [least(u), extent(u)];
    const bins = clip(roundHalfEven(width / CUT_BIN), 8, 4000);
    const [toNearer, toNext] = [new Float64Array(bins + 2), new Float64Array(bins + 2)];
    const [top, bottom] = [new Float64Array(bins).fill(Infinity), new Float64Array(bins).fill(-Infinity)];
    for (let point = 0; point < u.length; point += 1) {
      const at = (u[point] - low) * (bins / width);
      const column = Math.min(Math.floor(at), bins - 1);
      // A point counts for the nearer two columns: pixels are hardly narrower than columns.
      const nearer = Math.floor(at + 0.5);
      const share = at + 0.5 - nearer;
      toNearer[nearer] += 1 - share;
      toNext[nearer + 1] += share;
      top[column] = Math.min(top[column], y[point]);
      bottom[column] = Math.max(bottom[column], y[point]);
    }
    const ink = toNearer.map((count, at) => (count + toNext[at]) * ((area * bins) / width)).subarray(1, -1);
    const high = top.map((value, column) => (Number.isFinite(value) ? bottom[column] - value : 0) + pen);
    for (const [profile, most] of /** @type {const} */ ([[ink, 4.0 * pen], [high, 0.6]])) {
      const smooth = smoothed(profile);
      const thinner = valley(smooth, roundHalfEven(0.6 / CUT_BIN), 0.6 * pen);
      thinner.forEach((score, place) => {
        if (score < 0.8 && smooth[place] <= most) {
          found.push([score + 0.3 * Math.abs(slant), slant, low + ((place + 0.5) * width) / bins]);
        }
      });
    }
  }
  found.sort((one, other) => one[0] - other[0] || one[1] - other[1] || one[2] - other[2]);
  return apart(found, x, y);
}

/**
 * @param {Float64Array} profile
 * @returns {Float64Array}
 */
function smoothed(profile) {
  const last = profile.length - 1;
  return profile.map((value, at) => {
    const [before, after] = [profile[Math.max(at - 1, 0)], profile[Math.min(at + 1, last)]];
    return 0.25 * before + 0.5 * value + 0.25 * after;
  });
}

/**
 * Compares the lowest places of a profile with the lower of the two heights beside each; others give 1.
 *
 * @param {Float64Array} profile
 * @param {number} reach  How far beside a place its heights are looked for.
 * @param {number} depth  How much lower than these it must be.
 * @returns {Float64Array}
 */
function valley(profile, reach, depth) {
  return profile.map((value, at) => {
    const before = greatest(profile.subarray(Math.max(at - reach, 0), at));
    const after = greatest(profile.subarray(at + 1, at + 1 + reach));
    const lowest = least(profile.subarray(Math.max(at - 2, 0), at + 3));
    // Beyond the ends there is nothing.
    const lower = Math.max(Math.min(before, after), 0);
    return value <= lowest && lower - value > depth ? value / Math.max(lower, 1e-9) : 1;
  });
}

/**
 * Takes the best cuts that leave some width between each other and the ends.
 *
 * @param {[score: number, slant: number, place: number][]} cuts  Best first.
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @returns {[slant: number, place: number][]}
 */
function apart(cuts, x, y) {
  const [top, bottom, left, right] = [least(y), greatest(y), least(x), greatest(x)];
  /** @type {[slant: number, place: number][]} */
  const chosen = [];
  const most = 3 * (right - left) - 0.8;
  for (const [, slant, place] of cuts) {
    if (chosen.length >= most) break;
    const [atTop, atBottom] = [place - slant * top, place - slant * bottom];
    const middle = (atTop + atBottom) / 2;
    if (middle - left < CUT_MARGIN || right - middle < CUT_MARGIN) continue;
    const isFree = chosen.every(([lean, other]) => {
      const [one, two] = [atTop - (other - lean * top), atBottom - (other - lean * bottom)];
      return (
        (Math.min(one, two) > 0.05 && one + two > 2 * CUT_MARGIN) ||
        (Math.max(one, two) < -0.05 && one + two < -2 * CUT_MARGIN)
      );
    });
    if (isFree) chosen.push([slant, place]);
  }
  return chosen;
}

/**
 * Joins atoms that are one piece beyond doubt, and numbers pieces in reading order.
 *
 * @param {Box[]} boxes  Of the atoms.
 * @param {Int32Array} cut  For each the atom that it was cut from on its left, -1 for none.
 * @returns {Int32Array}  The piece of each atom.
 */
function findPieces(boxes, cut) {
  const middle = boxes.map((box) => (box.left + box.right) / 2);
  /** @type {Int32Array} */
  let owner = Int32Array.from(boxes, (_, at) => at);
  let tall = boxes.map((box) => heightOf(box) >= 0.45);
  if (!tall.includes(true)) {
    const long = boxes.map((box) => Math.max(widthOf(box), heightOf(box)));
    const longest = greatest(long);
    tall = long.map((side) => side >= 0.5 * longest);
  }
  const tallOnes = placesOf(tall);
  const large = argsort(tallOnes.map((at) => boxes[at].left)).map((at) => tallOnes[at]);
  const lefts = large.map((at) => boxes[at].left);
  const whole = Array.from(cut, (left) => left < 0);
  for (const left of cut) if (left >= 0) whole[left] = false;
  large.forEach((one, place) => {
    const [box, width] = [boxes[one], widthOf(boxes[one])];
    for (const other of large.slice(place + 1, searchRight(lefts, box.right))) {
      const otherWidth = widthOf(boxes[other]);
      const overlap = Math.min(box.right, boxes[other].right) - boxes[other].left;
      // Two strokes across each other, or the halves of a broken stem.
      const isCentred =
        Math.abs(middle[one] - middle[other]) < Math.max(0.22 * Math.max(width, otherWidth), 0.08);
      if (whole[one] && whole[other] && isCentred && overlap >= 0.8 * Math.min(width, otherWidth)) {
        const joined = owner[other];
        owner = owner.map((own) => (own === joined ? owner[one] : own));
      }
    }
  });
  boxes.forEach((box, small) => {
    if (tall[small]) return;
    const away = large.map((at) => {
      const host = boxes[at];
      const shared = Math.min(host.right, box.right) - Math.max(host.left, box.left);
      const narrower = Math.max(Math.min(widthOf(host), widthOf(box)), 0.02);
      const off = Math.abs(middle[at] - middle[small]);
      const isAbove = box.bottom <= host.top + 0.05 && widthOf(host) < 0.45 && widthOf(box) < 0.25;
      return shared >= 0.6 * narrower || (isAbove && off < 0.4) ? off : Infinity;
    });
    const host = argmin(away);
    if (away[host] < Infinity) owner[small] = owner[large[host]];
  });
  owner = numbered(owner);
  const ofOwner = around(boxes, owner);
  const inOrder = ofOwner.map((_, at) => at);
  inOrder.sort((one, other) => {
    const [a, b] = [ofOwner[one], ofOwner[other]];
    return a.left + a.right - (b.left + b.right) || a.top - b.top;
  });
  const rank = new Int32Array(inOrder.length);
  inOrder.forEach((at, place) => (rank[at] = place));
  return owner.map((own) => rank[own]);
}

/**
 * Tells for each edge between two pieces whether it is a cut through one part.
 *
 * @param {Int32Array} pieceOfAtom
 * @param {Int32Array} cut
 * @returns {boolean[]}  For each piece but the last.
 */
function cutEdges(pieceOfAtom, cut) {
  /** @type {boolean[]} */
  const edges = new Array(greatest(pieceOfAtom)).fill(false);
  cut.forEach((left, atom) => {
    if (left < 0) return;
    const [one, other] = [pieceOfAtom[left], pieceOfAtom[atom]];
    edges.fill(true, Math.min(one, other), Math.max(one, other));
  });
  return edges;
}

/**
 * Gives the log odds that characters part between a piece and the next.
 *
 * @param {Frame} frame
 * @param {Int32Array} piece
 * @param {Box[]} boxes
 * @param {boolean[]} cut
 * @param {number[]} odds
 * @returns {number[]}  For each piece but the last.
 */
function boundaries(frame, piece, boxes, cut, odds) {
  const { order, starts } = grouped(piece, boxes.length);
  const sampled = boxes.map((_, at) => {
    const every = Math.floor((starts[at + 1] - starts[at]) / 48) + 1;
    return order.subarray(starts[at], starts[at + 1]).filter((_point, place) => place % every === 0);
  });
  return boxes.slice(1).map((next, at) => {
    const box = boxes[at];
    const narrower = clip(Math.min(widthOf(box), widthOf(next)), 0, 0.5);
    if (cut[at]) {
      const joint = Math.max(box.right, next.right) - Math.min(box.left, next.left);
      return clip(CUT_ODDS[0] + CUT_ODDS[1] * narrower + CUT_ODDS[2] * clip(joint - 0.9, 0, 1), -6, 6);
    }
    let nearest = Infinity;
    for (const one of sampled[at]) {
      for (const other of sampled[at + 1]) {
        const away = (frame.x[one] - frame.x[other]) ** 2 + (frame.y[one] - frame.y[other]) ** 2;
        if (away < nearest) nearest = away;
      }
    }
    const lower = clip(Math.min(heightOf(box), heightOf(next)), 0, 1);
    const gap = clip(next.left - box.right, -0.5, 0.6);
    const given = [1, clip(Math.sqrt(nearest), 0, 0.4), gap, narrower, lower];
    return clip(sum(given.map((value, of) => value * odds[of])), -6, 6);
  });
}

/**
 * Finds the spans of a line and their log priors, and the characters of the most probable path.
 *
 * @param {Box[]} boxes  Of the pieces.
 * @param {number[]} odds  Log odds that characters part, between a piece and the next.
 * @param {boolean[]} cut
 * @returns {{ spans: PlainSpan[], best: number[] }}
 */
function findSpans(boxes, odds, cut) {
  const count = boxes.length;
  const isUncut = [true, ...cut.map((isCut) => !isCut), true];
  const [parted, joined] = [odds.map((odd) => -softplus(-odd)), odds.map((odd) => -softplus(odd))];
  // Each edge between two characters is paid by both, half and half.
  const ends = [0, ...parted.map((log) => log / 2), 0];
  /** @type {PlainSpan[]} */
  const spans = [];
  const best = new Float64Array(count + 1).fill(-Infinity);
  const cameFrom = new Int32Array(count + 1);
  best[0] = 0;
  for (let first = 0; first < count; first += 1) {
    let inside = 0;
    for (let last = first + 1; last <= Math.min(first + MAX_PIECES, count); last += 1) {
      if (last > first + 1) inside += joined[last - 2];
      const box = boxAround(boxes.slice(first, last));
      const prior = inside + (ends[first] + ends[last]) + shape(widthOf(box), heightOf(box));
      // What was cut is offered whole as well.
      const isMended = isUncut[first] && isUncut[last] && !isUncut.slice(first + 1, last).includes(true);
      if (last > first + 1 && prior < LEAST_PRIOR && !isMended) continue;
      spans.push([first, last, rounded(prior)]);
      if (best[first] + prior > best[last]) [best[last], cameFrom[last]] = [best[first] + prior, first];
    }
  }
  if (!spans.some(([first, last]) => first === 0 && last === count)) {
    // Drawn with many strokes, or fallen apart: a line that is hardly wider than a character may still be one.
    const box = boxAround(boxes);
    if (widthOf(box) <= 2 * heightOf(box)) {
      const whole = sum(joined) + shape(widthOf(box), heightOf(box));
      spans.push([0, count, rounded(whole)]);
      if (whole > best[count]) cameFrom[count] = 0;
    }
  }
  const path = [count];
  while (path[0] > 0) path.unshift(cameFrom[path[0]]);
  return { spans, best: path };
}

/**
 * Gives how well a box is shaped for a character, in nats; sizes in units of the height of the text.
 *
 * @param {number} width
 * @param {number} height
 * @returns {number}
 */
function shape(width, height) {
  const tooWide = Math.max(width - 1.0, 0);
  const tooHigh = Math.max(height - 1.7, 0);
  const tooSmall = Math.max(0.5 - Math.max(width, height), 0);
  return -4 * tooWide ** 1.5 - 4 * tooHigh ** 1.5 - 10 * tooSmall;
}

// ---------------------------------------------------------------------------------------------------------------------
// Spaces

/**
 * Finds the spaces of each line: the pieces that begin a word, but for the first.
 *
 * @param {LaidOut[]} lines
 * @returns {number[][]}
 */
function findSpaces(lines) {
  const gaps = lines.map(({ boxes, best }) =>
    best
      .slice(1, -1)
      .map((edge) => boxAround(boxes.slice(edge)).left - greatest(boxes.slice(0, edge).map((box) => box.right))),
  );
  let [expected, spread] = USUAL_GAP;
  const page = gaps.flat();
  if (lines.length > 1 && page.length > 0) [expected, spread] = [partGaps(page, expected, spread).mean, 0.25];
  return lines.map(({ best }, line) => {
    const { limit } = gaps[line].length > 0 ? partGaps(gaps[line], expected, spread) : { limit: Infinity };
    return best.slice(1, -1).filter((_, at) => gaps[line][at] > limit);
  });
}

/**
 * Parts gaps into those between characters and those between words, by what explains them best.
 *
 * @param {number[]} gaps  In units of the height of the text.
 * @param {number} expected  What the logarithm of gaps between characters is expected to be.
 * @param {number} spread  The standard deviation of that.
 * @returns {{ limit: number, mean: number }}  The gap above which there is a space, infinite for none; and the
 *   logarithm for gaps between characters.
 */
function partGaps(gaps, expected, spread) {
  const values = Float64Array.from(gaps, (gap) => Math.log(Math.max(gap, -0.2) + 0.5)).sort();
  const count = values.length;
  let [bestCost, bestLimit, bestMean] = [Infinity, Infinity, expected];
  // A few of the narrowest may be within characters that fall apart.
  const parts = [0, 0.05, 0.1, 0.2, 0.3, 0.4].map((part) => roundHalfEven(part * count));
  for (const within of unique(count > 1 ? [...parts, 1] : parts)) {
    const kept = values.subarray(within);
    const [sums, squares] = [[0], [0]];
    for (const value of kept) {
      sums.push(sums[sums.length - 1] + value);
      squares.push(squares[squares.length - 1] + value ** 2);
    }
    for (let lower = 0; lower <= kept.length; lower += 1) {
      const upper = kept.length - lower;
      const middle =
        (sums[lower] / GAP_SPREAD ** 2 + expected / spread ** 2) / (lower / GAP_SPREAD ** 2 + 1 / spread ** 2);
      let cost = (squares[lower] - 2 * middle * sums[lower] + lower * middle ** 2) / (2 * GAP_SPREAD ** 2);
      cost += (middle - expected) ** 2 / (2 * spread ** 2) + 4 * within;
      if (upper > 0) {
        const wide = (sums[kept.length] - sums[lower]) / upper;
        if (kept[lower] - middle < 0.4 || (lower > 0 && kept[lower] - kept[lower - 1] <= 0)) continue;
        const rest = squares[kept.length] - squares[lower] - upper * wide ** 2;
        cost += rest / (2 * SPACE_SPREAD ** 2) + upper * (Math.log(SPACE_SPREAD / GAP_SPREAD) - SPACE_ODDS);
        // Words of one character only are rare, however far apart characters are.
        cost += 1 + (lower === 0 ? 4 * (upper - 1) : 0);
      }
      if (cost < bestCost) {
        [bestCost, bestMean] = [cost, middle];
        const below = lower > 0 ? kept[lower - 1] : middle;
        bestLimit = upper > 0 ? Math.exp((below + kept[lower]) / 2) - 0.5 : Infinity;
      }
    }
  }
  return { limit: bestLimit, mean: bestMean };
}

// ---------------------------------------------------------------------------------------------------------------------
// Small things

/** @param {Box} box */
function widthOf(box) {
  return box.right - box.left;
}

/** @param {Box} box */
function heightOf(box) {
  return box.bottom - box.top;
}

/**
 * Gives the values at some places.
 *
 * @param {Numbers} values
 * @param {Numbers} places
 * @returns {Float64Array}
 */
function picked(values, places) {
  const found = new Float64Array(places.length);
  for (let at = 0; at < places.length; at += 1) found[at] = values[places[at]];
  return found;
}

/**
 * Gives where a condition holds.
 *
 * @param {boolean[]} flags
 * @returns {number[]}
 */
function placesOf(flags) {
  return flags.flatMap((flag, at) => (flag ? [at] : []));
}

/** @param {Numbers} values */
function extent(values) {
  return greatest(values) - least(values);
}

/**
 * Gives `log(1 + exp(x))`.
 *
 * @param {number} x
 */
function softplus(x) {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** @param {number} prior */
function rounded(prior) {
  return Math.round(prior * 1e4) / 1e4;
}

/**
 * Counts how often each value is there; gives the sum of the squares of the counts.
 *
 * @param {Float64Array} values
 */
function squaredCounts(values) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let total = 0;
  for (const count of counts.values()) total += count ** 2;
  return total;
}

/**
 * Counts the values between edges; the last bin has its upper edge.
 *
 * @param {Float64Array} values
 * @param {Float64Array} edges  Ascending.
 * @returns {number[]}
 */
function histogram(values, edges) {
  /** @type {number[]} */
  const counts = new Array(edges.length - 1).fill(0);
  for (const value of values) {
    const bin = value === edges[edges.length - 1] ? counts.length - 1 : searchRight(edges, value) - 1;
    if (bin >= 0 && bin < counts.length) counts[bin] += 1;
  }
  return counts;
}

/** @param {number[]} values */
function byMagnitude(values) {
  return values.sort((one, other) => Math.abs(one) - Math.abs(other));
}
