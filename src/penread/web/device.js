// Reading on the device: the page's side of device/worker.js, with the same face as the server's reader in api.js.
// Nothing is fetched until something is to be read.

import { asCharacter, asExplanation, asText, PredictionError } from "./reading.js";

/**
 * @typedef {import("./reading.js").Failure} Failure
 * @typedef {import("./reading.js").Reader} Reader
 * @typedef {import("./device/worker.js").Reply} Reply
 *
 * @typedef {object} Preparation
 * @property {(signal?: AbortSignal) => Promise<void>} load  Fetches and starts what reading takes, ahead of time.
 * @property {() => void} close  Ends the thread and gives its memory back; what waits fails. The next call starts anew.
 *
 * @typedef {Reader & Preparation} DeviceReader
 *
 * @typedef {object} Waiting
 * @property {(answer: any) => void} resolve
 * @property {(error: unknown) => void} reject
 */

/** A thread that is asked and says nothing for so long, no progress either, is taken for dead. */
const QUIET_MS = 30_000;
/** What may be wrong with a drawing or a picture, and not with the thread that reads it.
 * @type {readonly Failure[]} */
const HARMLESS = ["refused", "charset", "picture"];

/**
 * @param {object} [options]
 * @param {(loaded: number, total: number | null) => void} [options.onProgress]  Called while files come: the bytes that
 *   are here, and how many there will be, null where the server doesn't tell.
 * @returns {DeviceReader}
 */
export function createDeviceReader({ onProgress = () => {} } = {}) {
  /** @type {Worker | null} */
  let worker = null;
  /** @type {Map<number, Waiting>} */
  const waiting = new Map();
  let lastId = 0;
  let quiet = 0;

  function start() {
    const started = new Worker(new URL("./device/worker.js", import.meta.url), { type: "module", name: "penread" });
    started.addEventListener("message", (/** @type {MessageEvent<Reply>} */ { data }) => {
      if (started === worker) receive(data);
    });
    for (const event of ["error", "messageerror"]) {
      started.addEventListener(event, () => {
        if (started === worker) end(new PredictionError(navigator.onLine ? "device" : "offline"));
      });
    }
    return started;
  }

  /**
   * Ends the thread; the next call starts another.
   *
   * @param {PredictionError} error  What those who wait are told.
   */
  function end(error) {
    worker?.terminate();
    worker = null;
    const all = [...waiting.values()];
    waiting.clear();
    listen();
    for (const { reject } of all) reject(error);
  }

  /** Waits for a sign of life, if anybody does. */
  function listen() {
    clearTimeout(quiet);
    if (waiting.size > 0) quiet = setTimeout(() => end(new PredictionError("device")), QUIET_MS);
  }

  /** @param {Reply} message */
  function receive(message) {
    if (message.type === "progress") {
      listen();
      onProgress(message.loaded, message.total);
      return;
    }
    if (message.type === "alive") {
      listen();
      return;
    }
    const asker = waiting.get(message.id);
    waiting.delete(message.id);
    listen();
    if (message.type === "answer") {
      asker?.resolve(message.answer);
      return;
    }
    const error = new PredictionError(message.failure, message.status);
    asker?.reject(error);
    if (HARMLESS.includes(message.failure)) return;
    // A runtime that failed once fails ever after.
    console.warn(message.message);
    end(error);
  }

  /**
   * @param {object} request  As device/worker.js takes it, without an id.
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   * @throws {PredictionError}  Or the signal's reason, where it aborts.
   */
  async function ask(request, signal) {
    signal?.throwIfAborted();
    const id = (lastId += 1);
    /** @type {() => void} */
    let cancel = () => {};
    try {
      return await new Promise((resolve, reject) => {
        worker ??= start();
        waiting.set(id, { resolve, reject });
        if (waiting.size === 1) listen();
        worker.postMessage({ id, ...request });
        cancel = () => {
          waiting.delete(id);
          listen();
          worker?.postMessage({ id, type: "cancel" });
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", cancel, { once: true });
      });
    } catch (error) {
      signal?.throwIfAborted();
      // The browser may refuse to start a thread.
      throw error instanceof PredictionError ? error : new PredictionError("device");
    } finally {
      waiting.delete(id);
      signal?.removeEventListener("abort", cancel);
    }
  }

  return {
    async recognize(strokes, { charset = null, signal }) {
      const answer = await ask({ type: "recognize", strokes, charset }, signal);
      return answer.kind === "text" ? asText(answer) : asCharacter(answer);
    },

    async recognizePicture(picture, { charset = null, signal }) {
      const answer = await ask({ type: "recognizePicture", picture, charset }, signal);
      return answer.kind === "text" ? asText(answer) : asCharacter(answer);
    },

    async explain(source, { charset = null, char, signal }) {
      return asExplanation(await ask({ type: "explain", source, charset, char }, signal));
    },

    async load(signal) {
      await ask({ type: "load" }, signal);
    },

    close() {
      end(new PredictionError("device"));
    },
  };
}
