// Joins the page together: the drawing area, the two buttons, the server and the answer.

import { createAnnouncer } from "./announcer.js";
import { createAnswerView } from "./answer.js";
import { PredictionError, requestPrediction } from "./api.js";
import { createDrawingArea } from "./canvas.js";
import { createI18n, pickLanguage, translatePage } from "./i18n.js";
import { exceedsLimits, thin } from "./strokes.js";

/** @param {string} id */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const i18n = createI18n(pickLanguage(navigator.languages));
translatePage(document, i18n);

const canvas = /** @type {HTMLCanvasElement} */ (find("canvas"));
const announce = createAnnouncer(find("status"));
const answer = createAnswerView(
  {
    root: find("answer"),
    char: find("char"),
    headline: find("headline"),
    remark: find("remark"),
    candidatesHeading: find("candidates-heading"),
    candidates: find("candidates"),
    glyph: /** @type {HTMLImageElement} */ (find("glyph")),
  },
  i18n,
  announce,
);
const drawing = createDrawingArea(canvas, () => {
  labelCanvas();
  answer.markStale();
});

/** The request whose answer will be shown; any older one is aborted.
 * @type {AbortController | null} */
let pending = null;

function labelCanvas() {
  const count = drawing.strokeCount();
  const label = count === 0 ? i18n.text("canvasEmpty") : i18n.text("canvasStrokes", { count });
  if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
}

function cancelPending() {
  pending?.abort();
  pending = null;
}

async function predict() {
  cancelPending();
  const strokes = thin(drawing.strokes());
  if (strokes.length === 0) {
    answer.showBlank();
    return;
  }
  if (exceedsLimits(strokes)) {
    answer.showError(new PredictionError("tooDetailed"));
    return;
  }

  const request = new AbortController();
  pending = request;
  const revision = drawing.revision();
  answer.showBusy();
  try {
    const prediction = await requestPrediction(strokes, request.signal);
    if (pending !== request) return;
    answer.showPrediction(prediction);
    // The pen may have gone on while the server read.
    if (drawing.revision() !== revision) answer.markStale();
    if (prediction.model !== null) find("model").textContent = i18n.text("model", prediction.model);
  } catch (error) {
    if (pending !== request) return;
    if (!(error instanceof PredictionError)) throw error;
    answer.showError(error);
  } finally {
    if (pending === request) pending = null;
  }
}

function clear() {
  cancelPending();
  drawing.clear();
  answer.showEmpty();
  announce(i18n.text("cleared"));
}

labelCanvas();
find("predict").addEventListener("click", predict);
find("clear").addEventListener("click", clear);
