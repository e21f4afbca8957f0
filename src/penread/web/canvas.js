// The drawing area: turns what mouse, finger and pen do on the canvas into strokes, and shows them.
// Strokes are kept in units of the canvas side, so that they keep their place at any size.

import { findCrossing, isInside } from "./strokes.js";

/**
 * @typedef {import("./strokes.js").Point} Point
 * @typedef {import("./strokes.js").Stroke} Stroke
 *
 * @typedef {object} DrawingArea
 * @property {() => Stroke[]} strokes  The drawing, in CSS pixels of the canvas.
 * @property {() => number} strokeCount
 * @property {() => number} revision  Another number after every change of the drawing.
 * @property {() => void} clear
 */

/** The width of the pen, in units of the canvas side. */
const PEN_WIDTH = 0.042;

/**
 * Makes a canvas a drawing area.
 *
 * @param {HTMLCanvasElement} canvas  Square; CSS gives its size, and its `color` is the ink.
 * @param {() => void} onChange  Called after every change of the drawing.
 * @returns {DrawingArea}
 */
export function createDrawingArea(canvas, onChange) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  /** @type {InkedStroke[]} */
  let drawing = [];
  let revision = 0;
  /** The pointer that draws now: its stroke, absent while it is off the canvas, and its last place.
   * @type {{ id: number, type: string, stroke: InkedStroke | null, last: Point } | null} */
  let pen = null;
  let isPaintDue = false;

  function paint() {
    isPaintDue = false;
    context.setTransform(canvas.width, 0, 0, canvas.height, 0, 0);
    context.clearRect(0, 0, 1, 1);
    context.lineWidth = PEN_WIDTH;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
    for (const stroke of drawing) stroke.paint(context);
  }

  // A pen reports more often than the screen shows.
  function schedulePaint() {
    if (!isPaintDue) requestAnimationFrame(paint);
    isPaintDue = true;
  }

  function changed() {
    revision += 1;
    schedulePaint();
    onChange();
  }

  /** @param {Point} point */
  function startStroke(point) {
    const stroke = new InkedStroke(point);
    drawing.push(stroke);
    return stroke;
  }

  /**
   * @param {PointerEvent} event
   * @returns {Point}
   */
  function locate(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  // What is drawn off the canvas can't be seen, so it is not part of the drawing: the stroke ends at
  // the edge, and another starts where the pointer comes back.
  /** @param {Point} point */
  function moveTo(point) {
    if (pen === null) return;
    if (isInside(point)) {
      pen.stroke ??= startStroke(findCrossing(point, pen.last));
      pen.stroke.extend(point);
    } else if (pen.stroke !== null) {
      pen.stroke.extend(findCrossing(pen.last, point));
      pen.stroke = null;
    }
    pen.last = point;
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (pen !== null) {
      // A second finger changes nothing. But a palm often lands before the pen it belongs to.
      if (pen.type !== "touch" || event.pointerType !== "pen") return;
      const palm = pen.stroke;
      drawing = drawing.filter((stroke) => stroke !== palm);
    }
    const point = locate(event);
    pen = { id: event.pointerId, type: event.pointerType, stroke: startStroke(point), last: point };
    try {
      canvas.setPointerCapture(event.pointerId);
    } catch {
      // The pointer is up again already: its pointerup follows, and nothing needs capturing.
    }
    changed();
  });

  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pen?.id) return;
    const coalesced = event.getCoalescedEvents?.() ?? [];
    for (const moment of coalesced.length > 0 ? coalesced : [event]) moveTo(locate(moment));
    changed();
  });

  // Ink that was seen stays, however the stroke ends.
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(type, (event) => {
      if (/** @type {PointerEvent} */ (event).pointerId === pen?.id) pen = null;
    });
  }

  // iOS selects text and shows its loupe on a long touch, and Apple Pencil starts to write words,
  // whatever touch-action says.
  canvas.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  canvas.addEventListener("contextmenu", (event) => {
    if (pen !== null) event.preventDefault();
  });

  // To set its width or height clears a canvas, so only a real change may.
  function fit() {
    const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    if (canvas.width === side && canvas.height === side) return;
    canvas.width = canvas.height = side;
    paint();
  }

  // Zoom, or another screen, changes the density and maybe nothing else. The query matches one
  // density only, so each change needs the next query.
  function watchDensity() {
    fit();
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", watchDensity, { once: true });
  }

  new ResizeObserver(fit).observe(canvas);
  watchDensity();
  for (const theme of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(theme).addEventListener("change", schedulePaint);
  }

  return {
    strokes() {
      const side = canvas.clientWidth;
      return drawing.map(({ points }) => points.map(([x, y]) => /** @type {Point} */ ([x * side, y * side])));
    },
    strokeCount: () => drawing.length,
    revision: () => revision,
    clear() {
      drawing = [];
      pen = null;
      changed();
    },
  };
}

/** One stroke and its smooth line: quadratic curves between the midpoints of its points. */
class InkedStroke {
  /** @param {Point} start */
  constructor(start) {
    /** @type {Stroke} */
    this.points = [start];
    // Only the last half step of the line still changes, so the rest is laid down once.
    this.settled = new Path2D();
    this.settled.moveTo(...start);
    /** @type {Point} */
    this.settledEnd = start;
  }

  /** @param {Point} point */
  extend(point) {
    const last = this.points[this.points.length - 1];
    if (point[0] === last[0] && point[1] === last[1]) return;
    this.settledEnd = [(last[0] + point[0]) / 2, (last[1] + point[1]) / 2];
    this.settled.quadraticCurveTo(...last, ...this.settledEnd);
    this.points.push(point);
  }

  /** @param {CanvasRenderingContext2D} context */
  paint(context) {
    const last = this.points[this.points.length - 1];
    if (this.points.length === 1) {
      // A line without length paints nothing in some browsers.
      context.beginPath();
      context.arc(...last, PEN_WIDTH / 2, 0, 2 * Math.PI);
      context.fill();
      return;
    }
    context.stroke(this.settled);
    context.beginPath();
    context.moveTo(...this.settledEnd);
    context.lineTo(...last);
    context.stroke();
  }
}
