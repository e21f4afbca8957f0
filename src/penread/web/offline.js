// The page without a network: registers the service worker (sw.js), tells what it keeps, and has it
// keep what reading on the device takes. A new release of the page is taken in at its next start.

/**
 * @typedef {"none" | "shell" | "ready"} OfflineState  What is kept for when there is no network:
 *   nothing; the page; or also all that it reads with on the device.
 */

/** Where the browser can't tell when the page has nothing to do, this long after it is loaded. */
const CALM_MS = 1000;
/** No answer within this is one: the worker was stopped. Keeping fetches megabytes. */
const PATIENCE_MS = { state: 5_000, "take over": 2_000, keep: 600_000 };

/** What a reader does to a page. */
const USES = ["pointerdown", "keydown", "drop", "paste"];

/** @type {Set<(state: OfflineState) => void>} */
const listeners = new Set();
/** @type {OfflineState} */
let state = "none";
/** The registration, null where the browser allows none.
 * @type {Promise<ServiceWorkerRegistration | null> | null} */
let registering = null;

/**
 * Makes the page fit for a loss of the network, where the browser allows it: on https and on this
 * machine. Call it once at the start; it waits for a calm moment by itself.
 *
 * @param {{ onState?: (state: OfflineState) => void }} options  `onState` is called with the state now,
 *   and whenever it changes.
 */
export function registerOffline({ onState = () => {} } = {}) {
  listeners.add(onState);
  onState(state);
  registering ??= register();
}

/**
 * Has all that reading on the device takes kept, in the background: once the page has nothing to do,
 * and not where the reader saves data. It is no harm to call it again.
 *
 * @returns {Promise<OfflineState>}  The state then.
 */
export async function keepForOffline() {
  const registration = await registering;
  const isSaving = /** @type {any} */ (navigator).connection?.saveData === true;
  if (!registration || isSaving) return state;
  await calm();
  return tell(await ask(registration.active, "keep"));
}

/** @returns {Promise<ServiceWorkerRegistration | null>} */
async function register() {
  // Elsewhere browsers don't have it, or have it only to refuse.
  if (!window.isSecureContext || !("serviceWorker" in navigator)) return null;
  const { serviceWorker } = navigator;
  try {
    const known = await serviceWorker.getRegistration(new URL("../", import.meta.url));
    if (known?.waiting && (await takeOver(known.waiting))) return null;
    await calm();
    await serviceWorker.register(new URL("../sw.js", import.meta.url), { updateViaCache: "none" });
    const registration = await serviceWorker.ready;
    tell(await ask(registration.active, "state"));
    return registration;
  } catch {
    // It only means that the page needs its network: the reader can't help it, and nor can we.
    return null;
  }
}

/**
 * A new release waits, and this page, which has just been opened, is still of the old one: has the new
 * one take over, if no other page is open and nothing was done here yet.
 *
 * @param {ServiceWorker} waiting
 * @returns {Promise<boolean>}  Whether it does, and this page starts again.
 */
async function takeOver(waiting) {
  let isUsed = false;
  const use = () => {
    isUsed = true;
  };
  for (const name of USES) window.addEventListener(name, use, { capture: true });
  // To wake the worker takes a while, in which the reader may have begun to draw.
  await ask(waiting, "state");
  for (const name of USES) window.removeEventListener(name, use, { capture: true });
  if (isUsed) return false;
  // From then on this page would be given the files of a release that is not its own.
  const startAgain = () => window.location.reload();
  navigator.serviceWorker.addEventListener("controllerchange", startAgain, { once: true });
  const takesOver = await ask(waiting, "take over");
  if (takesOver !== true) navigator.serviceWorker.removeEventListener("controllerchange", startAgain);
  return takesOver === true;
}

/**
 * @param {OfflineState | null} found  Null where the worker gave no answer.
 * @returns {OfflineState}
 */
function tell(found) {
  if (found === null || found === state) return state;
  state = found;
  for (const listener of listeners) listener(state);
  return state;
}

/**
 * Asks a worker.
 *
 * @param {ServiceWorker | null} worker
 * @param {"state" | "keep" | "take over"} question
 * @returns {Promise<any>}  The answer; null where none comes.
 */
function ask(worker, question) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const timer = setTimeout(() => finish(null), PATIENCE_MS[question]);
    /** @param {any} answer */
    function finish(answer) {
      clearTimeout(timer);
      port1.close();
      resolve(answer);
    }
    port1.onmessage = (event) => finish(event.data);
    if (worker) worker.postMessage(question, [port2]);
    else finish(null);
  });
}

/** Waits until the page is loaded and has nothing to do. @returns {Promise<void>} */
async function calm() {
  if (document.readyState !== "complete") {
    await new Promise((resolve) => window.addEventListener("load", resolve, { once: true }));
  }
  await new Promise((resolve) => {
    // Safari has no requestIdleCallback.
    if ("requestIdleCallback" in window) window.requestIdleCallback(resolve, { timeout: 2 * CALM_MS });
    else setTimeout(resolve, CALM_MS);
  });
}
