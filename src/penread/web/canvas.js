// The drawing area: turns what mouse, finger and pen do on the canvas into strokes, and shows them.
// Strokes are kept in units of the canvas side, so that they keep their place at any size.

import { boxAround, doBoxesMeet, joinBoxes } from "./extents.js";
import { erase } from "./eraser.js";
import { record, redo, startHistory, undo } from "./history.js";
import { StrokeLook } from "./look.js";
import { PEN_WIDTH, findCrossing, isInside, settle } from "./strokes.js";

/**
 * @typedef {import("./extents.js").Box} Box
 * @typedef {import("./strokes.js").InkStroke} InkStroke
 * @typedef {import("./strokes.js").Point} Point
 * @typedef {import("./strokes.js").Stroke} Stroke
 * @typedef {"pen" | "eraser"} Tool
 * @typedef {readonly InkStroke[]} Drawing  Never changed, but for the stroke that is being drawn.
 *
 * @typedef {object} DrawingEvents
 * @property {() => void} [onChange]  After every change of the drawing.
 * @property {() => void} [onStrokeEnd]  The moment to read: pen or eraser was lifted, or a step was undone or redone,
 *   or the drawing cleared or loaded. After `onChange`, where there is both.
 *
 * @typedef {object} DrawingArea
 * @property {() => Stroke[]} strokes  The drawing, in CSS pixels of the canvas.
 * @property {() => number} strokeCount
 * @property {() => number} revision  Another number after every change of the drawing.
 * @property {() => number} side  Of the canvas, in CSS pixels.
 * @property {() => void} clear  A step that can be undone, as is `load`.
 * @property {() => void} undo
 * @property {() => void} redo
 * @property {() => boolean} canUndo
 * @property {() => boolean} canRedo
 * @property {(tool: Tool) => void} setTool  For what follows; what is being drawn goes on as it is.
 * @property {() => Tool} tool
 * @property {(share: number) => void} setWidth  The pen's, in units of the canvas side, for what is drawn from now on.
 * @property {(strokes: readonly Stroke[]) => void} load  Puts strokes, in units of the side, in the drawing's place.
 * @property {() => boolean} isDrawing  Whether pen or eraser is down.
 *
 * @typedef {object} Gesture  What one pointer does from when it comes down until it is lifted.
 * @property {number} id  The pointer's.
 * @property {string} type  "mouse", "touch" or "pen".
 * @property {Tool} tool
 * @property {InkStroke | null} stroke  What is being drawn; null while the pointer is off the canvas, or erases.
 * @property {Point} last  The pointer's last place.
 * @property {number} startedAt  In milliseconds.
 * @property {boolean} hasPressure  Whether the pointer has shown that it measures its pressure.
 * @property {number} swell  The part of its width that the pen has now.
 */

const ERASER_RADIUS = 0.035;
const MIN_WIDTH = 0.004;
const MAX_WIDTH = 0.2;

/** Touch is a palm so long after a pen was there, and so shortly before one comes. */
const PALM_MS = 500;

/** In PointerEvent.buttons: the other end of the pen. */
const ERASER_BUTTON = 32;

/** Of each new pressure this part counts, as a hand doesn't press evenly. */
const PRESSURE_WEIGHT = 0.5;

/** @type {Box} */
const EVERYWHERE = { left: 0, top: 0, right: 1, bottom: 1 };

/**
 * Makes a canvas a drawing area.
 *
 * @param {HTMLCanvasElement} canvas  Square; CSS gives its size, and its `color` is the ink.
 * @param {DrawingEvents} events
 * @returns {DrawingArea}
 */
export function createDrawingArea(canvas, { onChange, onStrokeEnd }) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  /** @type {Drawing} */
  let drawing = [];
  let history = startHistory(drawing);
  let revision = 0;
  /** @type {Tool} */
  let tool = "pen";
  let width = PEN_WIDTH;
  /** @type {Gesture | null} */
  let gesture = null;
  let penSeenAt = -Infinity;
  /** The last touch, and the history and the drawing that it came upon and left: it may turn out to be a palm.
   * @type {{ startedAt: number, before: typeof history, drawing: Drawing } | null} */
  let touch = null;

  // Painting

  /** @type {WeakMap<InkStroke, StrokeLook>} */
  const looks = new WeakMap();
  /** The eraser's centre, while it is shown.
   * @type {Point | null} */
  let eraserAt = null;
  /** What to paint again.
   * @type {Box | null} */
  let dirty = null;
  let isPaintDue = false;

  /** @param {InkStroke} stroke */
  function lookOf(stroke) {
    let look = looks.get(stroke);
    if (look === undefined) {
      look = new StrokeLook(stroke);
      looks.set(stroke, look);
    }
    return look;
  }

  function paint() {
    isPaintDue = false;
    if (dirty === null) return;
    // Whole pixels, so that no seam shows where a part was painted again.
    const left = Math.max(0, Math.floor(dirty.left * canvas.width) - 1);
    const top = Math.max(0, Math.floor(dirty.top * canvas.height) - 1);
    const right = Math.min(canvas.width, Math.ceil(dirty.right * canvas.width) + 1);
    const bottom = Math.min(canvas.height, Math.ceil(dirty.bottom * canvas.height) + 1);
    const place = {
      left: left / canvas.width,
      top: top / canvas.height,
      right: right / canvas.width,
      bottom: bottom / canvas.height,
    };
    dirty = null;

    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    context.clearRect(left, top, right - left, bottom - top);
    context.scale(canvas.width, canvas.height);
    context.lineCap = "round";
    context.lineJoin = "round";
    context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
    for (const stroke of drawing) {
      const look = lookOf(stroke);
      if (doBoxesMeet(look.box, place)) look.paint(context, place);
    }
    if (eraserAt !== null) paintEraser(eraserAt);
    context.restore();
  }

  /** @param {Point} centre */
  function paintEraser(centre) {
    const line = 1.5 / Math.max(1, measure());
    context.beginPath();
    context.arc(...centre, ERASER_RADIUS - line / 2, 0, 2 * Math.PI);
    context.globalAlpha = 0.12;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = line;
    context.stroke();
  }

  // A pen reports more often than the screen shows.
  /** @param {Box | null} place */
  function schedulePaint(place) {
    dirty = joinBoxes(dirty, place);
    if (dirty !== null && !isPaintDue) requestAnimationFrame(paint);
    isPaintDue = dirty !== null;
  }

  /** @param {Point | null} centre */
  function showEraser(centre) {
    const places = [eraserAt, centre].filter((point) => point !== null);
    eraserAt = centre;
    if (places.length > 0) schedulePaint(boxAround(places, ERASER_RADIUS));
  }

  /** @param {Box | null} place  Where the drawing changed. */
  function changed(place) {
    revision += 1;
    schedulePaint(place);
    onChange?.();
  }

  // Steps

  /**
   * Ends what the pointer does, and makes it a step. Ink that was seen stays, however the gesture ends.
   */
  function finishGesture() {
    if (gesture === null) return;
    const { stroke, type, startedAt } = gesture;
    gesture = null;
    if (stroke !== null) settleStroke(stroke);
    const before = history;
    history = record(history, drawing);
    touch = type === "touch" ? { startedAt, before, drawing } : null;
  }

  /** @param {InkStroke} stroke */
  function settleStroke(stroke) {
    const settled = settle(stroke);
    if (settled === stroke) return;
    schedulePaint(lookOf(stroke).box);
    drawing = drawing.map((each) => (each === stroke ? settled : each));
  }

  /** @param {(now: typeof history) => typeof history} step */
  function take(step) {
    const wasDrawing = gesture !== null;
    finishGesture();
    touch = null;
    history = step(history);
    if (drawing !== history.present) {
      drawing = history.present;
      changed(EVERYWHERE);
    } else if (!wasDrawing) {
      return;
    }
    onStrokeEnd?.();
  }

  // A palm often lands before the pen it belongs to, and may be gone again before the pen is there.
  /** @param {PointerEvent} event  The pen comes down. */
  function takePalmBack(event) {
    if (gesture !== null) {
      gesture = null;
    } else if (touch !== null && touch.drawing === drawing && event.timeStamp - touch.startedAt < PALM_MS) {
      history = touch.before;
    }
    touch = null;
    showEraser(null);
    if (drawing === history.present) return;
    drawing = history.present;
    changed(EVERYWHERE);
  }

  // Drawing and erasing

  /**
   * @param {Gesture} by
   * @param {Point} point
   * @returns {InkStroke}
   */
  function startStroke(by, point) {
    const stroke = { points: [point], width, swells: by.hasPressure ? [by.swell] : null };
    drawing = [...drawing, stroke];
    schedulePaint(lookOf(stroke).box);
    return stroke;
  }

  /**
   * @param {InkStroke} stroke
   * @param {Gesture} by
   * @param {Point} point
   * @returns {boolean} Whether the stroke is another now.
   */
  function extend({ points, swells }, by, point) {
    const last = points[points.length - 1];
    if (point[0] === last[0] && point[1] === last[1]) return false;
    points.push(point);
    swells?.push(by.swell);
    return true;
  }

  // A pen without a sensor reports none, half or all of the pressure, and always the same.
  /**
   * @param {Gesture} by
   * @param {PointerEvent} event
   */
  function press(by, { pressure }) {
    if (by.type !== "pen") return;
    const swell = 0.5 + pressure;
    if (by.hasPressure) {
      by.swell += (swell - by.swell) * PRESSURE_WEIGHT;
    } else if (pressure !== 0 && pressure !== 0.5 && pressure !== 1) {
      by.hasPressure = true;
      by.swell = swell;
      if (by.stroke !== null) by.stroke.swells = by.stroke.points.map(() => 1);
    }
  }

  // What is drawn off the canvas can't be seen, so it is not part of the drawing: the stroke ends at
  // the edge, and another starts where the pointer comes back.
  /**
   * @param {Gesture} by
   * @param {Point} point
   * @returns {boolean} Whether the drawing is another now.
   */
  function drawTo(by, point) {
    const { last } = by;
    by.last = point;
    if (isInside(point)) {
      const isNew = by.stroke === null;
      by.stroke ??= startStroke(by, findCrossing(point, last));
      return extend(by.stroke, by, point) || isNew;
    }
    if (by.stroke === null) return false;
    const isLonger = extend(by.stroke, by, findCrossing(last, point));
    schedulePaint(lookOf(by.stroke).grow());
    settleStroke(by.stroke);
    by.stroke = null;
    return isLonger;
  }

  /**
   * @param {Gesture} by
   * @param {Point} point
   * @returns {boolean} Whether the drawing is another now.
   */
  function eraseTo(by, point) {
    const left = erase(drawing, by.last, point, ERASER_RADIUS);
    by.last = point;
    if (left === drawing) return false;
    const kept = new Set(left);
    for (const stroke of drawing) if (!kept.has(stroke)) schedulePaint(lookOf(stroke).box);
    drawing = left;
    return true;
  }

  // Pointers

  /**
   * @param {PointerEvent} event
   * @param {DOMRect} box  Of the canvas.
   * @returns {Point}
   */
  function locate(event, box) {
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  canvas.addEventListener("pointerdown", (event) => {
    const isTurned = (event.buttons & ERASER_BUTTON) !== 0;
    if (event.button !== 0 && !isTurned) return;
    if (event.pointerType === "pen") {
      penSeenAt = event.timeStamp;
      if (gesture === null || gesture.type === "touch") takePalmBack(event);
    }
    // A second finger changes nothing.
    if (gesture !== null) return;
    if (event.pointerType === "touch" && event.timeStamp - penSeenAt < PALM_MS) return;

    const point = locate(event, canvas.getBoundingClientRect());
    gesture = {
      id: event.pointerId,
      type: event.pointerType,
      tool: isTurned ? "eraser" : tool,
      stroke: null,
      last: point,
      startedAt: event.timeStamp,
      hasPressure: false,
      swell: 1,
    };
    try {
      canvas.setPointerCapture(event.pointerId);
    } catch {
      // The pointer is up again already: its pointerup follows, and nothing needs capturing.
    }
    if (gesture.tool === "eraser") {
      showEraser(point);
      if (eraseTo(gesture, point)) changed(null);
    } else {
      press(gesture, event);
      gesture.stroke = startStroke(gesture, point);
      changed(null);
    }
  });

  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "pen") penSeenAt = event.timeStamp;
    const box = canvas.getBoundingClientRect();
    if (gesture === null) {
      // Where the pointer is seen before it comes down, so is what it would erase.
      if (tool === "eraser" && event.pointerType !== "touch") showEraser(locate(event, box));
      return;
    }
    if (event.pointerId !== gesture.id) return;
    if (event.pointerType === "mouse" && event.buttons === 0) {
      // It was lifted where nobody told the page, under a menu or a window.
      lift(event);
      return;
    }
    const by = gesture;
    let isChanged = false;
    const coalesced = event.getCoalescedEvents?.() ?? [];
    for (const moment of coalesced.length > 0 ? coalesced : [event]) {
      const point = locate(moment, box);
      if (by.tool === "pen") press(by, moment);
      isChanged = (by.tool === "pen" ? drawTo : eraseTo)(by, point) || isChanged;
    }
    if (by.tool === "eraser") showEraser(by.last);
    if (isChanged) changed(by.stroke === null ? null : lookOf(by.stroke).grow());
  });

  /** @param {PointerEvent} event */
  function lift(event) {
    if (event.pointerId !== gesture?.id) return;
    if (event.pointerType === "pen") penSeenAt = event.timeStamp;
    finishGesture();
    if (tool === "pen" || event.pointerType === "touch") showEraser(null);
    onStrokeEnd?.();
  }

  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(type, (event) => lift(/** @type {PointerEvent} */ (event)));
  }
  canvas.addEventListener("pointerleave", () => {
    if (gesture === null) showEraser(null);
  });

  // A finger draws; it neither scrolls nor zooms nor selects. iOS selects text and shows its loupe on a long touch,
  // and Apple Pencil starts to write words, whatever touch-action says.
  canvas.style.setProperty("touch-action", "none");
  canvas.style.setProperty("user-select", "none");
  canvas.style.setProperty("-webkit-user-select", "none");
  canvas.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  canvas.addEventListener("contextmenu", (event) => {
    if (gesture !== null) event.preventDefault();
  });

  // The canvas and its screen

  /**
   * To set its width or height clears a canvas, so only a real change may.
   *
   * @param {number} columns  In pixels of the screen.
   * @param {number} rows
   */
  function resize(columns, rows) {
    if (canvas.width === columns && canvas.height === rows) return;
    canvas.width = columns;
    canvas.height = rows;
    dirty = EVERYWHERE;
    paint();
  }

  /** The side when it was last seen, in CSS pixels. */
  let lastSide = 0;

  // A canvas that is hidden has no size, but its drawing has the one that it was seen with.
  function measure() {
    if (canvas.clientWidth > 0) lastSide = canvas.clientWidth;
    return lastSide;
  }

  /** What the browser says of the pixels of the screen that the canvas covers, columns and rows. */
  let covered = [0, 0];

  // A browser that shows the page as on another device may count without its density, and Safari says nothing.
  function fit() {
    if (canvas.clientWidth === 0) return;
    measure();
    const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    const [columns, rows] = covered.map((count) => (Math.abs(count - side) <= 1 ? count : side));
    resize(columns, rows);
  }

  // Zoom, or another screen, changes the density and maybe nothing else. The query matches one
  // density only, so each change needs the next query.
  function watchDensity() {
    fit();
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", watchDensity, { once: true });
  }

  const observer = new ResizeObserver(([{ devicePixelContentBoxSize: sizes }]) => {
    if (sizes !== undefined) covered = [sizes[0].inlineSize, sizes[0].blockSize];
    fit();
  });
  try {
    observer.observe(canvas, { box: "device-pixel-content-box" });
  } catch {
    observer.observe(canvas);
  }
  watchDensity();
  const repaint = () => schedulePaint(EVERYWHERE);
  for (const theme of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(theme).addEventListener("change", repaint);
  }
  canvas.addEventListener("contextrestored", repaint);

  return {
    strokes() {
      const side = measure();
      return drawing.map((stroke) => {
        // What is being drawn is not settled yet.
        const { points } = settle(stroke);
        return points.map(([x, y]) => /** @type {Point} */ ([x * side, y * side]));
      });
    },
    strokeCount: () => drawing.length,
    revision: () => revision,
    side: measure,
    clear: () => take((now) => (now.present.length === 0 ? now : record(now, []))),
    undo: () => take(undo),
    redo: () => take(redo),
    canUndo: () => history.past.length > 0 || drawing !== history.present,
    canRedo: () => history.future.length > 0 && drawing === history.present,
    setTool(chosen) {
      tool = chosen;
      if (gesture === null) showEraser(null);
    },
    tool: () => tool,
    setWidth(share) {
      if (Number.isFinite(share)) width = Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, share));
    },
    load(strokes) {
      const loaded = strokes
        .filter((points) => points.length > 0)
        .map((points) => ({ points: points.map(([x, y]) => /** @type {Point} */ ([x, y])), width, swells: null }));
      take((now) => (loaded.length === 0 && now.present.length === 0 ? now : record(now, loaded)));
    },
    isDrawing: () => gesture !== null,
  };
}
