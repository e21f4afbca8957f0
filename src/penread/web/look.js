// How a stroke looks: a smooth line, quadratic curves between the midpoints of its points, as wide as its pen and
// swelling with the pressure. It grows with the stroke, and is painted in pieces, so that where little changed
// little is painted.

import { boxAround, doBoxesMeet, joinBoxes } from "./extents.js";

/**
 * @typedef {import("./extents.js").Box} Box
 * @typedef {import("./strokes.js").InkStroke} InkStroke
 * @typedef {import("./strokes.js").Point} Point
 *
 * @typedef {object} Piece  A run of curves of one width.
 * @property {Path2D} path
 * @property {number} width
 * @property {number} curves
 * @property {Box} box
 */

/** So many curves are one piece at most. */
const MAX_CURVES = 200;

/** Widths as near as this, in units of the canvas side, look the same; three times as much shows as facets. */
const WIDTH_STEP = 0.0003;

/** The line of one stroke. */
export class StrokeLook {
  /** @param {InkStroke} stroke  It may grow; its points so far never change. */
  constructor(stroke) {
    this.stroke = stroke;
    // Only the last half step of the line still changes, so the rest is laid down once.
    /** @type {Piece[]} */
    this.pieces = [];
    /** How many points are laid down. */
    this.count = 1;
    /** @type {Point} */
    this.end = stroke.points[0];
    this.endWidth = this.widthAt(0);
    /** @type {Box} */
    this.box = boxAround([this.end], this.endWidth / 2);
    this.grow();
  }

  /**
   * Follows the stroke to its end.
   *
   * @returns {Box | null} Where the line looks otherwise than before.
   */
  grow() {
    /** @type {Box | null} */
    let changed = null;
    for (const { points } = this.stroke; this.count < points.length; this.count += 1) {
      const [bend, next] = [points[this.count - 1], points[this.count]];
      const [bendWidth, nextWidth] = [this.widthAt(this.count - 1), this.widthAt(this.count)];
      /** @type {Point} */
      const middle = [(bend[0] + next[0]) / 2, (bend[1] + next[1]) / 2];
      const middleWidth = (bendWidth + nextWidth) / 2;
      const widest = Math.max(this.endWidth, bendWidth, nextWidth);
      changed = joinBoxes(changed, boxAround([this.end, bend, next], widest / 2));
      this.lay(this.end, bend, middle, this.endWidth, middleWidth);
      this.end = middle;
      this.endWidth = middleWidth;
    }
    this.box = joinBoxes(this.box, changed) ?? this.box;
    return changed;
  }

  /**
   * @param {CanvasRenderingContext2D} context  Scaled to the unit square, with the ink's colour and round ends.
   * @param {Box} place  What is outside needs no paint.
   */
  paint(context, place) {
    const { points } = this.stroke;
    const last = points[points.length - 1];
    if (points.length === 1) {
      // A line without length paints nothing in some browsers.
      context.beginPath();
      context.arc(...last, this.widthAt(0) / 2, 0, 2 * Math.PI);
      context.fill();
      return;
    }
    for (const [index, piece] of this.pieces.entries()) {
      const isLast = index === this.pieces.length - 1;
      if (!isLast && !doBoxesMeet(piece.box, place)) continue;
      // In one line with what it goes on from, as the edges of two that overlap are bolder.
      const path = isLast ? new Path2D(piece.path) : piece.path;
      if (isLast) path.lineTo(...last);
      context.lineWidth = piece.width;
      context.stroke(path);
    }
  }

  /** @param {number} index */
  widthAt(index) {
    return this.stroke.width * (this.stroke.swells?.[index] ?? 1);
  }

  /**
   * Lays down a curve, in as many parts as it takes to swell smoothly.
   *
   * @param {Point} from
   * @param {Point} bend
   * @param {Point} to
   * @param {number} fromWidth
   * @param {number} toWidth
   */
  lay(from, bend, to, fromWidth, toWidth) {
    const parts = Math.max(1, Math.ceil(Math.abs(toWidth - fromWidth) / WIDTH_STEP));
    for (let part = 0; part < parts; part += 1) {
      const [start, end] = [part / parts, (part + 1) / parts];
      const width = fromWidth + (toWidth - fromWidth) * ((start + end) / 2);
      const first = blend(from, bend, to, start, start);
      const middle = blend(from, bend, to, start, end);
      const last = blend(from, bend, to, end, end);
      let piece = this.pieces[this.pieces.length - 1];
      if (piece === undefined || piece.curves === MAX_CURVES || Math.abs(piece.width - width) >= WIDTH_STEP) {
        piece = { path: new Path2D(), width, curves: 0, box: boxAround([first], width / 2) };
        piece.path.moveTo(...first);
        this.pieces.push(piece);
      }
      piece.path.quadraticCurveTo(...middle, ...last);
      piece.curves += 1;
      piece.box = joinBoxes(piece.box, boxAround([middle, last], piece.width / 2)) ?? piece.box;
    }
  }
}

/**
 * The blossom of a quadratic curve. With one and the same share twice it is the curve's point there; with two, the
 * bend of the part between them.
 *
 * @param {Point} from
 * @param {Point} bend
 * @param {Point} to
 * @param {number} one
 * @param {number} other
 * @returns {Point}
 */
function blend(from, bend, to, one, other) {
  const [ofFrom, ofTo] = [(1 - one) * (1 - other), one * other];
  const ofBend = 1 - ofFrom - ofTo;
  return [
    ofFrom * from[0] + ofBend * bend[0] + ofTo * to[0],
    ofFrom * from[1] + ofBend * bend[1] + ofTo * to[1],
  ];
}
