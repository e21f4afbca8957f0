// Reading on the server: sends a drawing or a picture, checks the answer, and names what went wrong.

import { asCharacter, asExplanation, asText, charactersOf, PredictionError, TOP_K } from "./reading.js";
import { isText, mayBeText } from "./several.js";

/**
 * @typedef {import("./key.js").Keys} Keys
 * @typedef {import("./reading.js").Failure} Failure
 * @typedef {import("./reading.js").Reader} Reader
 * @typedef {import("./strokes.js").Stroke} Stroke
 */

const TIMEOUT_MS = 10_000;
/** A photograph of a page is megabytes to send and seconds to read. */
const PICTURE_TIMEOUT_MS = 60_000;

/**
 * @param {() => number | null} unclearAbove  The model's own bound to reject a single character, where it is known.
 * @param {Pick<Keys, "current" | "refuse">} keys  What the server may want a key of.
 * @returns {Reader}
 */
export function createServerReader(unclearAbove, keys) {
  /**
   * @param {string} endpoint
   * @param {{ headers: Record<string, string>, body: BodyInit }} request
   * @param {AbortSignal} signal  Cancels the request; the promise then rejects with its reason.
   * @param {number} [timeoutMs]
   * @returns {Promise<any>}
   * @throws {PredictionError}
   */
  async function ask(endpoint, { headers, body }, signal, timeoutMs = TIMEOUT_MS) {
    const late = AbortSignal.timeout(timeoutMs);
    const key = keys.current();
    try {
      const response = await fetch(endpoint, {
        method: "POST",
        headers: {
          ...headers,
          Accept: "application/json, application/problem+json",
          // The other header for keys may be taken: by the password of a proxy.
          ...(key === null ? {} : { "X-API-Key": key }),
        },
        body,
        signal: AbortSignal.any([signal, late]),
      });
      // The body is text first: a connection lost halfway is another failure than an answer that is no JSON.
      const text = await response.text();
      if (response.status === 401) {
        keys.refuse(key);
        throw new PredictionError("key");
      }
      if (!response.ok) throw new PredictionError(nameFailure(response.status, text), response.status);
      return parseJson(text);
    } catch (error) {
      if (error instanceof PredictionError) throw error;
      signal.throwIfAborted();
      throw new PredictionError(late.aborted ? "timeout" : "offline");
    }
  }

  return {
    async recognize(strokes, { charset, signal }) {
      const body = { strokes, top_k: TOP_K, charset };
      const alone = asCharacter(await ask("api/v1/predict", json({ ...body, include_glyph: true }), signal));
      const how = mayBeText(alone, unclearAbove());
      if (how === null) return alone;
      const text = asText(await ask("api/v1/read", json({ ...body, unclear_above: how.unclearAbove }), signal));
      return isText(alone, text) ? text : alone;
    },

    async recognizePicture(picture, { charset, signal }) {
      const fields = { top_k: String(TOP_K), ...(charset === null ? {} : { charset }) };
      const text = asText(await ask("api/v1/read", form(picture, fields), signal, PICTURE_TIMEOUT_MS));
      if (charactersOf(text).length > 1) return text;
      const alone = { ...fields, include_glyph: "true" };
      return asCharacter(await ask("api/v1/predict", form(picture, alone), signal, PICTURE_TIMEOUT_MS));
    },

    async explain(source, { charset, char, signal }) {
      const body =
        source instanceof Blob
          ? form(source, { char, ...(charset === null ? {} : { charset }) })
          : json({ strokes: source, char, charset });
      return asExplanation(await ask("api/v1/explain", body, signal, PICTURE_TIMEOUT_MS));
    },
  };
}

/** @param {object} body */
function json(body) {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

/**
 * @param {Blob} picture
 * @param {Record<string, string>} fields
 */
function form(picture, fields) {
  const body = new FormData();
  body.append("image", picture, "picture");
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  return { headers: {}, body };
}

/**
 * @param {number} status
 * @param {string} problem  What the server says of it.
 * @returns {Failure}
 */
function nameFailure(status, problem) {
  if (status === 429 || status === 503) return "overloaded";
  if (status === 422 && /charset/i.test(problem)) return "charset";
  if (status === 400 || status === 413 || status === 415 || status === 422) return "refused";
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
