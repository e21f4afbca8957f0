// The page's service worker: keeps the page, and what it reads with on the device, for when there is
// no network. It must be a classic script: not all browsers take a module here.
//
// Whoever serves this file puts a line before it that sets `self.RELEASE`: the version and the files,
// with their sums. So every release is another worker, and a browser notices. All the page's files are
// kept in one cache, by name and sum: what a release shares with the last one is not fetched again, and
// each worker gives only the files of its own release. A new worker waits until no page of the old one
// is open, or until the only one asks for it at its start (offline.js), so a page never gets the files
// of two releases. The API is none of its business.

/**
 * @typedef {"none" | "shell" | "ready"} State  What is kept: nothing whole, the page, or also what it
 *   reads with on the device.
 *
 * @typedef {object} Release
 * @property {string} version
 * @property {Record<string, string>} shell  The page's files: from the name, relative to the page, to
 *   the sum ("sha256-…"). The page itself has no name.
 * @property {Record<string, string>} device  What reading on the device takes, megabytes; none where
 *   they are not all served.
 */

/** @type {Release} */
const RELEASE = self.RELEASE;
const SHELL = new Map(Object.entries(RELEASE.shell));
const DEVICE = new Map(Object.entries(RELEASE.device));
const SCOPE = self.registration.scope;
/** Other pages of this host may have caches, too. */
const CACHE = `penread ${SCOPE}`;

/** Whether this is the first worker that the browser has of this page. */
let isFirst = false;

/**
 * @param {string} name
 * @param {string} sum
 * @returns {string}  What a file is kept as.
 */
function keyOf(name, sum) {
  return new URL(`${SCOPE}${name}?${sum}`).href;
}

/**
 * @param {string} address
 * @returns {string}  The name of the file at an address of the page's folder.
 */
function nameOf(address) {
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname}`.slice(SCOPE.length);
}

/**
 * @param {Cache} cache
 * @param {string} name
 * @param {string} sum
 * @returns {Promise<Response | undefined>}
 */
function find(cache, name, sum) {
  return cache.match(keyOf(name, sum), { ignoreVary: true });
}

/**
 * Keeps a file, unless it is kept. The browser checks its sum, so another release's is refused.
 *
 * @param {Cache} cache
 * @param {string} name
 * @param {string} sum
 */
async function keep(cache, name, sum) {
  if (await find(cache, name, sum)) return;
  const response = await fetch(SCOPE + name, { cache: "no-cache", integrity: sum });
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  await cache.put(keyOf(name, sum), response);
}

/**
 * Keeps a file that the page just asked for, if it is this release's.
 *
 * @param {Cache} cache
 * @param {string} name
 * @param {string} sum
 * @param {Response} response  A copy of what the page got.
 */
async function keepCopy(cache, name, sum, response) {
  const copy = response.clone();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.arrayBuffer()));
  if (`sha256-${btoa(String.fromCharCode(...digest))}` === sum) await cache.put(keyOf(name, sum), copy);
  else await copy.body?.cancel();
}

/**
 * @param {Cache} cache
 * @param {ReadonlyMap<string, string>} files
 * @returns {Promise<boolean>}
 */
async function hasAll(cache, files) {
  const found = await Promise.all([...files].map(([name, sum]) => find(cache, name, sum)));
  return found.every(Boolean);
}

/** @returns {Promise<State>} */
async function findState() {
  const cache = await caches.open(CACHE);
  if (!(await hasAll(cache, SHELL))) return "none";
  return DEVICE.size > 0 && (await hasAll(cache, DEVICE)) ? "ready" : "shell";
}

async function install() {
  isFirst = self.registration.active === null;
  const cache = await caches.open(CACHE);
  // Who reads on the device without a network goes on to, with the new release.
  const kept = await cache.keys();
  const wanted = kept.some(({ url }) => DEVICE.has(nameOf(url))) ? [...SHELL, ...DEVICE] : [...SHELL];
  await Promise.all(wanted.map(([name, sum]) => keep(cache, name, sum)));
}

async function activate() {
  const cache = await caches.open(CACHE);
  const current = new Set([...SHELL, ...DEVICE].map(([name, sum]) => keyOf(name, sum)));
  for (const request of await cache.keys()) {
    if (!current.has(request.url)) await cache.delete(request);
  }
  // The first visit needs no second one to be fit for a loss of the network.
  if (isFirst) await self.clients.claim();
}

/** Keeps all that can be kept, one after the other, so that the visitor's own requests find room. */
async function keepAll() {
  const cache = await caches.open(CACHE);
  for (const [name, sum] of [...SHELL, ...DEVICE]) await keep(cache, name, sum);
}

/**
 * @param {FetchEvent} event
 * @param {string} name
 * @param {string} sum
 * @returns {Promise<Response>}
 */
async function respond(event, name, sum) {
  const cache = await caches.open(CACHE);
  const kept = await find(cache, name, sum);
  if (kept) return kept;
  // Where the host has a newer release than this one, a module of it may not fit. Large files have sums
  // or versions of their own, and the page shows how far they are, so those must come as they arrive.
  const isModule = DEVICE.has(name) && /\.m?js$/.test(name);
  const response = await (isModule ? fetch(event.request.url, { integrity: sum }) : fetch(event.request));
  if (response.status === 200 && DEVICE.has(name)) {
    // A full disk is no reason to fail: then there is just nothing kept.
    event.waitUntil(keepCopy(cache, name, sum, response.clone()).catch(() => {}));
  }
  return response;
}

self.addEventListener("install", (event) => event.waitUntil(install()));

self.addEventListener("activate", (event) => event.waitUntil(activate()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(SCOPE)) return;
  let name = nameOf(request.url);
  if (name === "index.html") name = "";
  const sum = SHELL.get(name) ?? DEVICE.get(name);
  if (sum !== undefined) event.respondWith(respond(event, name, sum));
});

/** What offline.js asks for, and how it is answered. @type {Record<string, () => Promise<unknown>>} */
const ANSWERS = {
  state: findState,

  keep: async () => {
    await keepAll().catch(() => {});
    return findState();
  },

  // Asked of a worker that waits, by a page that was just opened.
  "take over": async () => {
    const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const isAlone = open.filter(({ url }) => ["", "index.html"].includes(nameOf(url))).length <= 1;
    if (isAlone) await self.skipWaiting();
    return isAlone;
  },
};

self.addEventListener("message", (event) => {
  const answer = ANSWERS[event.data];
  if (answer) event.waitUntil(answer().then((given) => event.ports[0].postMessage(given)));
});
