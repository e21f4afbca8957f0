// The server's side of the page: sends a drawing, checks the answer, and names what went wrong.

/**
 * @typedef {import("./strokes.js").Stroke} Stroke
 *
 * @typedef {object} Candidate
 * @property {string} char
 * @property {number} confidence  From 0 to 1.
 *
 * @typedef {object} Prediction
 * @property {string | null} char  Null where the drawing was rejected.
 * @property {number} confidence
 * @property {Candidate[]} candidates  Best first.
 * @property {null | "blank" | "unclear"} rejected
 * @property {Reason | null} reason  Why an unclear drawing was rejected, where the page has words for it.
 * @property {{ name: string, version: string } | null} model
 * @property {string | null} glyph  The picture the model saw, as a data URL.
 *
 * @typedef {"speck" | "solid" | "several" | "unknown"} Reason
 *
 * @typedef {"offline" | "timeout" | "overloaded" | "refused" | "failed" | "malformed" | "tooDetailed"} Failure
 */

const ENDPOINT = "api/v1/predict";
const TIMEOUT_MS = 10_000;
const TOP_K = 5;
/** @type {readonly Reason[]} */
const REASONS = ["speck", "solid", "several", "unknown"];

/** Why there is no prediction. */
export class PredictionError extends Error {
  /**
   * @param {Failure} failure
   * @param {number | null} [status]  The HTTP status, where the server answered with an error.
   */
  constructor(failure, status = null) {
    super(failure);
    this.failure = failure;
    this.status = status;
  }
}

/**
 * Asks the server to read a drawing.
 *
 * @param {Stroke[]} strokes  In CSS pixels, within the server's limits.
 * @param {AbortSignal} signal  Cancels the request; the promise then rejects with its reason.
 * @returns {Promise<Prediction>}
 * @throws {PredictionError}
 */
export async function requestPrediction(strokes, signal) {
  const request = new AbortController();
  const cancel = () => request.abort();
  signal.addEventListener("abort", cancel, { once: true });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    request.abort();
  }, TIMEOUT_MS);

  try {
    const response = await fetch(ENDPOINT, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json, application/problem+json" },
      body: JSON.stringify({ strokes, top_k: TOP_K, include_glyph: true }),
      signal: request.signal,
    });
    if (!response.ok) throw new PredictionError(nameFailure(response.status), response.status);
    // The body is text first: a connection lost halfway is another failure than an answer that is no JSON.
    return readPrediction(parseJson(await response.text()));
  } catch (error) {
    if (error instanceof PredictionError) throw error;
    signal.throwIfAborted();
    throw new PredictionError(isLate ? "timeout" : "offline");
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", cancel);
  }
}

/**
 * @param {number} status
 * @returns {Failure}
 */
function nameFailure(status) {
  if (status === 429 || status === 503) return "overloaded";
  if (status === 400 || status === 413 || status === 422) return "refused";
  return "failed";
}

/** @param {string} text */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new PredictionError("malformed");
  }
}

/**
 * Checks that an answer is one. The model's name and the picture only adorn it, so an answer
 * without them still counts.
 *
 * @param {any} answer
 * @returns {Prediction}
 */
function readPrediction(answer) {
  const rejected = answer?.rejected ?? null;
  const isSound =
    Array.isArray(answer?.candidates) &&
    answer.candidates.every(isCandidate) &&
    (rejected === null ? isCandidate(answer) : rejected === "blank" || rejected === "unclear");
  if (!isSound) throw new PredictionError("malformed");

  const { char, confidence, candidates, model, glyph } = answer;
  return {
    char: rejected === null ? char : null,
    confidence: rejected === null ? confidence : 0,
    candidates: candidates.slice(0, TOP_K),
    rejected,
    reason: rejected === "unclear" && REASONS.includes(answer.reason) ? answer.reason : null,
    model: isText(model?.name) && isText(model?.version) ? model : null,
    glyph: isText(glyph) && glyph.startsWith("data:image/png;base64,") ? glyph : null,
  };
}

/** @param {any} value */
function isCandidate(value) {
  return isText(value?.char) && value.confidence >= 0 && value.confidence <= 1;
}

/** @param {unknown} value */
function isText(value) {
  return typeof value === "string" && value !== "";
}
