// Joins the page together: what is drawn or shown, where it is read, and the answer.

import { createAnnouncer } from "./announcer.js";
import { createAnswerView } from "./answer.js";
import { createServerReader } from "./api.js";
import { createBoxes } from "./boxes.js";
import { createCamera } from "./camera.js";
import { createDrawingArea } from "./canvas.js";
import { NAMED_CHARSETS } from "./device/charset.js";
import { drawGlyph } from "./device/ink.js";
import { createExamples } from "./examples.js";
import { createI18n, pickLanguage, translatePage } from "./i18n.js";
import { createKeys } from "./key.js";
import { keepForOffline, registerOffline } from "./offline.js";
import { createPictureInput, createPictureView, preparePicture } from "./pictures.js";
import { recall, remember } from "./preferences.js";
import { PredictionError, charactersOf, strokesOf } from "./reading.js";
import { exceedsLimits, thin } from "./strokes.js";

/**
 * @typedef {import("./i18n.js").Language} Language
 * @typedef {import("./reading.js").Answer} Answer
 * @typedef {import("./reading.js").Failure} Failure
 * @typedef {import("./reading.js").Reader} Reader
 * @typedef {import("./strokes.js").Stroke} Stroke
 *
 * @typedef {"drawing" | "picture" | "camera"} Mode  What the stage shows.
 * @typedef {"server" | "device"} Where
 * @typedef {{ answer: Answer, source: Stroke[] | Blob, charset: string | null, where: Where }} Shown
 * @typedef {{ char: string, source: Stroke[] | Blob }} Explainable  A character and what was read as it.
 */

/** Of the canvas side, in the unit of the slider. */
const WIDTH_UNIT = 0.01;
/** What reading on the device takes is fetched this long after the page, so as not to be in its way. */
const IDLE_MS = 4_000;
/** So long the button says that it has copied. */
const COPIED_MS = 1_500;
/** An explanation that takes longer is none. */
const PATIENCE_MS = 20_000;

/** @param {string} id */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const findButton = (id) => /** @type {HTMLButtonElement} */ (find(id));
/** @param {string} id */
const findSelect = (id) => /** @type {HTMLSelectElement} */ (find(id));
/** @param {string} id */
const findInput = (id) => /** @type {HTMLInputElement} */ (find(id));

// --- The page's parts ---

const i18n = createI18n(pickLanguage([recall("language") ?? "", ...navigator.languages]));
const announce = createAnnouncer(find("status"));
const stage = /** @type {HTMLElement} */ (document.querySelector(".stage"));
const canvas = /** @type {HTMLCanvasElement} */ (find("canvas"));
const charset = findSelect("charset");
const ownCharset = findInput("own");
const where = findSelect("where");
const boxes = createBoxes(/** @type {SVGSVGElement} */ (/** @type {unknown} */ (find("boxes"))));
const pictureView = createPictureView(find("picture"), i18n);
const answer = createAnswerView(
  {
    root: find("answer"),
    char: find("char"),
    text: find("text"),
    headline: find("headline"),
    remark: find("remark"),
    candidatesHeading: find("candidates-heading"),
    candidates: find("candidates"),
    glyph: /** @type {HTMLCanvasElement} */ (find("glyph")),
    glyphCaption: find("glyph-caption"),
    why: findButton("why"),
    time: find("time"),
    copy: findButton("copy"),
  },
  i18n,
  announce,
  showCharacter,
);
const drawing = createDrawingArea(canvas, { onChange: drawingChanged, onStrokeEnd: () => void recognize({ isLive: true }) });
const camera = createCamera({
  video: /** @type {HTMLVideoElement} */ (find("video")),
  onPicture: (picture) => void showPicture(picture),
  onError: (failure) => {
    setMode("drawing");
    refuse(failure);
  },
  onStop: backToDrawing,
});

const keys = createKeys({
  dialog: /** @type {HTMLDialogElement} */ (find("key-dialog")),
  form: /** @type {HTMLFormElement} */ (find("key-form")),
  input: findInput("key"),
  keep: findInput("keep-key"),
  complaint: find("key-wrong"),
  forgetButton: find("forget-key"),
  cancelButton: find("cancel-key"),
});

/** @type {Record<Where, Reader | null>} */
const readers = { server: createServerReader(() => unclearAbove, keys), device: null };
/** Whether the server wants a key: told by the page's host. */
let wantsKey = false;
/** Where there is something to read with: told by the page's host.
 * @type {Record<Where, boolean>} */
const has = { server: true, device: false };

/** The bound of the server's model to reject a single character.
 * @type {number | null} */
let unclearAbove = null;
/** @type {Mode} */
let mode = "drawing";
/** The one that answered last.
 * @type {import("./reading.js").Model | null} */
let model = null;
/** The picture on the stage, as it is sent.
 * @type {import("./pictures.js").Picture | null} */
let picture = null;
/** Another number for each picture: the last one chosen is shown, however long it takes to open. */
let pictureTurn = 0;
/** The request whose answer will be shown; any older one is aborted.
 * @type {AbortController | null} */
let pending = null;
/** Where it is read.
 * @type {Where} */
let pendingAt = "server";
/** What is shown, with what it was read from.
 * @type {Shown | null} */
let shown = null;

/** @type {Explainable | null} */
let explainable = null;
/** Whether the reader was asked for a key and gave none. */
let isKeyDenied = false;

// --- Reading ---

/** @returns {string | null} */
function chosenCharset() {
  // Characters that happen to spell a charset's name are characters all the same; twice is as good as once.
  const own = NAMED_CHARSETS.has(ownCharset.value) ? ownCharset.value + ownCharset.value[0] : ownCharset.value;
  if (charset.value === "own") return own === "" ? null : own;
  return charset.value === "" ? null : charset.value;
}

/** @returns {number}  In units of the canvas side. */
function penWidth() {
  return Number(findInput("width").value) * WIDTH_UNIT;
}

function cancelPending() {
  pending?.abort();
  pending = null;
}

/**
 * Reads what is on the stage; the last one asked for is shown.
 *
 * @param {{ isLive: boolean }} how  Whether nobody asked for it.
 */
async function recognize({ isLive }) {
  cancelPending();
  if (mode === "camera") return;
  const source = mode === "picture" && picture !== null ? picture.blob : thin(drawing.strokes());
  const isPicture = source instanceof Blob;
  if (!isPicture && source.length === 0) {
    forget();
    if (isLive) answer.showEmpty();
    else answer.showBlank(false);
    return;
  }
  if (!isPicture && exceedsLimits(source)) {
    fail(new PredictionError("tooDetailed"));
    return;
  }

  const request = new AbortController();
  pending = request;
  const startedAt = performance.now();
  const side = drawing.side();
  const revision = drawing.revision();
  answer.showBusy({ isLive });
  try {
    const { read, by, note } = await readWith(source, request.signal);
    if (pending !== request) return;
    shown = { answer: read, source, charset: chosenCharset(), where: by };
    explainable = read.kind === "text" || read.candidates.length === 0 ? null : { char: read.candidates[0].char, source };
    const isBlank = read.kind === "character" ? read.rejected === "blank" : read.lines.length === 0;
    boxes.clear();
    if (isBlank) answer.showBlank(isPicture);
    else {
      // The boxes first: what the answer selects is selected there, too.
      if (read.kind === "text") {
        // On what is drawn by now they may not lie right.
        if (!isPicture && revision === drawing.revision()) boxes.show(read, { width: side, height: side, over: "drawing", padding: (penWidth() * side) / 2 });
        // Of a picture that the browser can't show, only the name is there.
        else if (isPicture && picture?.url) boxes.show(read, { width: read.width, height: read.height, over: "picture" });
      }
      answer.show(read, { isLive, tookMs: performance.now() - startedAt, note });
    }
    model = read.model ?? model;
    label();
  } catch (error) {
    if (pending !== request) return;
    if (!(error instanceof PredictionError)) {
      fail(new PredictionError("failed"));
      throw error;
    }
    fail(isPicture && error.failure === "refused" ? new PredictionError("picture", error.status) : error);
    if (error.failure === "key") void askForKey({ isLive });
  } finally {
    if (pending === request) pending = null;
  }
}

/**
 * Reads where the reader chose; on the device, too, where the server can't be reached.
 *
 * @param {Stroke[] | Blob} source
 * @param {AbortSignal} signal
 * @returns {Promise<{ read: Answer, by: Where, note?: string }>}
 */
async function readWith(source, signal) {
  await configured;
  const how = { charset: chosenCharset(), signal };
  /** @param {Reader} reader */
  const read = (reader) =>
    source instanceof Blob ? reader.recognizePicture(source, how) : reader.recognize(source, how);
  const by = /** @type {Where} */ (where.value);
  try {
    return { read: await read(await readerAt(by)), by };
  } catch (error) {
    const isCutOff = error instanceof PredictionError && ["offline", "timeout"].includes(error.failure);
    if (by !== "server" || !isCutOff || !has.device) throw error;
    try {
      return { read: await read(await readerAt("device")), by: "device", note: "offlineOnDevice" };
    } catch {
      signal.throwIfAborted();
      // That it can't be read here either is no news: nothing was fetched for it before.
      throw error;
    }
  }
}

/**
 * @param {Where} place
 * @returns {Promise<Reader>}
 */
async function readerAt(place) {
  pendingAt = place;
  if (place === "device" && readers.device === null) {
    try {
      const { createDeviceReader } = await import("./device.js");
      readers.device = createDeviceReader({ onProgress: showProgress });
    } catch {
      throw new PredictionError("device");
    }
  }
  return /** @type {Reader} */ (readers[place]);
}

/**
 * @param {number} loaded
 * @param {number | null} total
 */
function showProgress(loaded, total) {
  if (pending !== null && pendingAt === "device") answer.showLoading(loaded, total);
}

/** @param {PredictionError} error */
function fail(error) {
  forget();
  answer.showError(error);
}

/** @param {string} failure */
function refuse(failure) {
  cancelPending();
  fail(new PredictionError(/** @type {Failure} */ (failure)));
}

/** What is shown is no answer any more. */
function forget() {
  shown = explainable = null;
  boxes.clear();
}

/**
 * Tells more of one character of a text.
 *
 * @param {number} index
 */
function showCharacter(index) {
  if (shown === null || shown.answer.kind !== "text") return;
  boxes.select(index);
  const { source } = shown;
  const { char, candidates } = charactersOf(shown.answer)[index];
  // Of a picture only the server has the glyph of each character.
  if (source instanceof Blob) return;
  const boxesOfAll = charactersOf(shown.answer).map((each) => each.box);
  const own = strokesOf(source, boxesOfAll, index);
  explainable = { char: char ?? candidates[0].char, source: own };
  answer.showSight(drawGlyph(own));
}

async function explain() {
  if (shown === null || explainable === null) return;
  if (findButton("why").getAttribute("aria-pressed") === "true") {
    answer.hideWhy();
    return;
  }
  const asked = explainable;
  answer.showWhyBusy();
  try {
    const reader = await readerAt(shown.where);
    const how = { charset: shown.charset, signal: AbortSignal.timeout(PATIENCE_MS) };
    const explanation = await reader.explain(asked.source, { ...how, char: asked.char });
    if (explainable === asked) answer.showWhy(explanation);
  } catch (error) {
    if (explainable !== asked) return;
    answer.showWhyFailed(error instanceof PredictionError ? error : new PredictionError("timeout"));
    if (error instanceof PredictionError && error.failure === "key") void askForKey({ isLive: false });
  }
}

/**
 * Asks for the key that the server wants, and reads again.
 *
 * @param {{ isLive: boolean }} how  Whether nobody asked to read.
 */
async function askForKey({ isLive }) {
  // Who draws on is asked after that stroke, and who gave none not after every stroke.
  if (keys.isAsking() || (isLive && (isKeyDenied || drawing.isDrawing()))) return;
  isKeyDenied = !(await keys.ask());
  label();
  if (!isKeyDenied) await recognize({ isLive: true });
}

// --- The stage ---

function drawingChanged() {
  label();
  enableTools();
  find("invitation").hidden = drawing.strokeCount() > 0;
  // Who draws meanwhile wants no picture any more.
  if (drawing.isDrawing()) pictureTurn += 1;
  // Ink that changes is no longer what the boxes were found in.
  if (mode === "drawing") boxes.clear();
}

function enableTools() {
  const isDrawing = mode === "drawing";
  for (const id of ["pen", "eraser"]) findButton(id).disabled = !isDrawing;
  findInput("width").disabled = !isDrawing;
  findButton("undo").disabled = !isDrawing || !drawing.canUndo();
  findButton("redo").disabled = !isDrawing || !drawing.canRedo();
}

/** @param {Mode} next */
function setMode(next) {
  if (mode === "camera" && next !== "camera") camera.stop();
  if (mode === "picture" && next !== "picture") {
    pictureView.clear();
    picture = null;
  }
  mode = next;
  stage.dataset.mode = next;
  find("picture").hidden = next !== "picture";
  find("video").hidden = next !== "camera";
  for (const id of ["shoot", "cancel-camera"]) find(id).hidden = next !== "camera";
  for (const id of ["predict", "clear"]) find(id).hidden = next === "camera";
  enableTools();
}

/** Brings the stage, and its buttons, before the reader's eyes: on a phone it may be far above. */
function lookAtStage() {
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  stage.closest("section")?.scrollIntoView({ block: "nearest", behavior: isStill ? "auto" : "smooth" });
}

/** @param {Blob} chosen */
async function showPicture(chosen) {
  cancelPending();
  forget();
  answer.showBusy({ isLive: false });
  const mine = ++pictureTurn;
  try {
    const prepared = await preparePicture(chosen);
    if (mine !== pictureTurn) {
      if (prepared.url !== null) URL.revokeObjectURL(prepared.url);
      return;
    }
    setMode("drawing");
    setMode("picture");
    picture = prepared;
    pictureView.show(prepared);
    lookAtStage();
  } catch (error) {
    if (mine !== pictureTurn) return;
    setMode("drawing");
    refuse(error instanceof PredictionError ? error.failure : "picture");
    return;
  }
  await recognize({ isLive: false });
}

/** Leaves the picture or the camera for the drawing, which is read again. */
function backToDrawing() {
  pictureTurn += 1;
  cancelPending();
  forget();
  setMode("drawing");
  void recognize({ isLive: true });
}

function clear() {
  if (mode !== "drawing") {
    backToDrawing();
    return;
  }
  pictureTurn += 1;
  cancelPending();
  forget();
  drawing.clear();
  answer.showEmpty();
  announce(i18n.text("cleared"));
}

async function startCamera() {
  pictureTurn += 1;
  cancelPending();
  forget();
  setMode("camera");
  lookAtStage();
  answer.showEmpty();
  findButton("shoot").focus({ preventScroll: true });
  if (await camera.start()) announce(i18n.text("cameraOn"));
}

async function shoot() {
  await camera.shoot();
  findButton("predict").focus({ preventScroll: true });
}

/** @param {"undo" | "redo"} step */
function go(step) {
  if (mode !== "drawing") return;
  if (step === "undo" && drawing.canUndo()) {
    drawing.undo();
    announce(i18n.text("undone"));
  }
  if (step === "redo" && drawing.canRedo()) {
    drawing.redo();
    announce(i18n.text("redone"));
  }
}

/** @param {"pen" | "eraser"} tool */
function choose(tool) {
  drawing.setTool(tool);
  for (const each of ["pen", "eraser"]) find(each).setAttribute("aria-pressed", String(each === tool));
}

// --- What is said ---

/** @param {Language} language */
function speak(language) {
  i18n.language = language;
  translatePage(document, i18n);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-language") === language));
  }
  label();
  answer.refresh();
  examples.refresh();
  pictureView.refresh();
}

/** Says what depends on what is drawn and where it is read. */
function label() {
  const count = drawing.strokeCount();
  const drawn = count === 0 ? i18n.text("canvasEmpty") : i18n.text("canvasStrokes", { count });
  if (canvas.getAttribute("aria-label") !== drawn) canvas.setAttribute("aria-label", drawn);
  if (model !== null) find("model").textContent = i18n.text("model", model);
  find("change-key").hidden = !wantsKey && keys.current() === null;
  find("privacy").textContent = i18n.text((shown?.where ?? where.value) === "device" ? "privacyDevice" : "privacyServer");
}

async function copy() {
  if (shown === null) return;
  const { answer: read } = shown;
  try {
    await navigator.clipboard.writeText(read.kind === "text" ? read.text : (read.char ?? ""));
  } catch {
    announce(i18n.text("notCopied"));
    return;
  }
  announce(i18n.text("copied"));
  const button = findButton("copy");
  button.dataset.state = "copied";
  setTimeout(() => delete button.dataset.state, COPIED_MS);
}

// --- What the reader does ---

/**
 * @param {string} id
 * @param {() => unknown} action
 */
function onClick(id, action) {
  find(id).addEventListener("click", () => void action());
}

onClick("predict", () => recognize({ isLive: false }));
onClick("clear", clear);
onClick("undo", () => go("undo"));
onClick("redo", () => go("redo"));
onClick("pen", () => choose("pen"));
onClick("eraser", () => choose("eraser"));
onClick("why", explain);
onClick("copy", copy);
onClick("change-key", () => askForKey({ isLive: false }));
onClick("camera", startCamera);
onClick("shoot", shoot);
onClick("cancel-camera", () => {
  backToDrawing();
  findButton("camera").focus({ preventScroll: true });
});

findInput("width").addEventListener("input", () => {
  drawing.setWidth(penWidth());
  remember("width", findInput("width").value);
});

charset.addEventListener("change", () => {
  ownCharset.hidden = charset.value !== "own";
  if (charset.value === "own") ownCharset.focus();
  void recognize({ isLive: true });
});
ownCharset.addEventListener("input", () => void recognize({ isLive: true }));

where.addEventListener("change", () => {
  remember("where", where.value);
  forget();
  label();
  void recognize({ isLive: true });
});

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    const language = /** @type {Language} */ (button.getAttribute("data-language"));
    remember("language", language);
    speak(language);
  });
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || drawing.isDrawing()) return;
  const element = /** @type {HTMLElement} */ (event.target);
  if (element.matches("input, select") || keys.isAsking()) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    // By the place of the key where it has no Latin letter: on a Russian keyboard Z is Я.
    const hasLatin = /^[a-z]$/.test(key);
    const isZ = hasLatin ? key === "z" : event.code === "KeyZ";
    const isY = hasLatin ? key === "y" : event.code === "KeyY";
    if (!isZ && !isY) return;
    event.preventDefault();
    go(isZ && !event.shiftKey ? "undo" : "redo");
  } else if (event.key === "Delete" || event.key === "Backspace") {
    event.preventDefault();
    clear();
  } else if (event.key === "Enter" && !element.matches("button, a")) {
    event.preventDefault();
    void recognize({ isLive: false });
  } else if (event.key === "Escape" && mode !== "drawing") {
    clear();
  }
});

createPictureInput({
  stage,
  page: document,
  input: findInput("file"),
  chooseButton: findButton("choose"),
  onPicture: (chosen) => void showPicture(chosen),
  onRefused: refuse,
});
const examples = createExamples(find("examples"), {
  i18n,
  onPick: (strokes) => {
    pictureTurn += 1;
    cancelPending();
    setMode("drawing");
    drawing.load(strokes);
    lookAtStage();
  },
});

// --- At the start ---

const width = recall("width");
if (width !== null) {
  findInput("width").value = width;
  drawing.setWidth(penWidth());
}
find("camera").hidden = !camera.available();
// Browsers have no clipboard for pages that came over plain http.
find("copy").hidden = !navigator.clipboard;
if (recall("where") === "device") where.value = "device";
const configured = configure();
speak(i18n.language);
drawingChanged();

/** Asks the page's host what there is to read with. */
async function configure() {
  try {
    const response = await fetch("config.json");
    const config = await response.json();
    has.server = config.server === true;
    has.device = config.device === true;
    unclearAbove = typeof config.unclear_above === "number" ? config.unclear_above : null;
    wantsKey = config.key === true;
  } catch {
    // The host is away, or older than the page: the server is asked, and says so itself.
    return;
  }
  const options = /** @type {HTMLOptionsCollection} */ (where.options);
  for (const option of options) option.disabled = !has[/** @type {Where} */ (option.value)];
  if (!has[/** @type {Where} */ (where.value)]) where.value = has.server ? "server" : "device";
  find("api").hidden = !has.server;
  find("key-device").hidden = !has.device;
  label();
}

registerOffline({ onState: (state) => (find("offline").hidden = state !== "ready") });
setTimeout(async () => {
  await configured;
  if (has.device) keepForOffline();
}, IDLE_MS);
