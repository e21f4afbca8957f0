// Pictures in place of drawings: chosen, dropped or pasted; made fit to be sent; shown on the stage.

import { PredictionError } from "./reading.js";

/**
 * @typedef {import("./i18n.js").I18n} I18n
 *
 * @typedef {"pictureNone" | "picturesSeveral" | "pictureKind" | "picturePdf" | "pictureBroken" | "pictureLarge"}
 *   PictureFailure  Names the words of a refusal, a headline and a remark.
 *
 * @typedef {object} Picture  A picture fit to be sent, and what is needed to show it.
 * @property {Blob} blob
 * @property {string | null} url  An object URL; null where the browser can't show such pictures.
 * @property {number} width  Upright, in its own pixels; 0 where it can't be shown.
 * @property {number} height
 * @property {string} name  The file's; empty for what was pasted or taken.
 *
 * @typedef {object} PictureSources
 * @property {HTMLElement} stage  Has the class "dropping" while it would take what is dragged over the page.
 * @property {Document} page
 * @property {HTMLInputElement} input  A file input; it may be hidden.
 * @property {HTMLElement} chooseButton
 * @property {(blob: Blob) => void} onPicture  What was given, not looked at yet.
 * @property {(failure: PictureFailure) => void} onRefused
 *
 * @typedef {object} PictureView
 * @property {(picture: Picture) => void} show  Takes the object URL over, and revokes that of the one before.
 * @property {() => void} clear
 * @property {() => void} refresh  Says the same in the language of now.
 */

/** The server takes 16 MiB in one request, and the form around the file needs some of them. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024 - 4096;
/** What has more pixels is shrunk. */
export const MAX_PIXELS = 24_000_000;

/** So many are left then: more than are looked at when a page is read, and fewer than any browser's canvas holds. */
const SHRUNK_PIXELS = 12_000_000;
/** A phone's finest photographs have 108 million; to decode more would take gigabytes of memory. */
const MAX_DECODED_PIXELS = 120_000_000;
/** A drawing made of vectors has no pixels of its own: its longer side gets so many. */
const VECTOR_SIDE = 1600;
const JPEG_QUALITY = 0.92;
const ATTEMPTS = 4;
const HEAD_BYTES = 16;
const PDF = "application/pdf";
const FIELDS_WITHOUT_TEXT = ["button", "checkbox", "file", "radio", "range", "submit"];

/**
 * How files begin, as Latin letters.
 *
 * @type {[format: string, beginning: RegExp][]}
 */
const BEGINNINGS = [
  ["png", /^\x89PNG\r\n/],
  ["jpeg", /^\xff\xd8\xff/],
  ["gif", /^GIF8/],
  ["webp", /^RIFF[^]{4}WEBP/],
  ["bmp", /^BM/],
  ["tiff", /^(II[*+]\0|MM\0[*+])/],
  ["ppm", /^P[1-6]\s/],
  ["avif", /^[^]{4}ftypavi[fs]/],
  ["heif", /^[^]{4}ftyp(hei|hev|mif1|msf1)/],
  ["pdf", /^%PDF-/],
];
/** Every browser shows these, so one that isn't shown is broken. */
const SHOWN_EVERYWHERE = ["png", "jpeg", "gif", "webp", "bmp"];
/** The server may know what to do with these, though most browsers show none of them. */
const SENT_UNSEEN = ["tiff", "ppm", "heif"];
/** The server reads these as they are. */
const SENT_AS_IT_IS = [...SHOWN_EVERYWHERE, "tiff", "ppm"];

/**
 * Lets pictures be chosen, dropped anywhere on the page, and pasted.
 *
 * @param {PictureSources} sources
 */
export function createPictureInput({ stage, page, input, chooseButton, onPicture, onRefused }) {
  /** @param {readonly File[]} files */
  function take(files) {
    if (files.length === 0) onRefused("pictureNone");
    else if (files.length > 1) onRefused("picturesSeveral");
    else if (!mayBePicture(files[0].type)) onRefused(files[0].type === PDF ? "picturePdf" : "pictureKind");
    else onPicture(files[0]);
  }

  chooseButton.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    // The same file chosen again must be a change again.
    input.value = "";
    if (files.length > 0) take(files);
  });

  page.addEventListener("dragover", (event) => {
    if (event.dataTransfer === null || isForTextField(event)) return;
    // Without this, the browser leaves the page to show what is dropped on it.
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    stage.classList.toggle("dropping", wouldTake(event.dataTransfer));
  });
  page.addEventListener("dragleave", (event) => {
    // Not from one element to the next, but out of the window.
    if (event.relatedTarget === null) stage.classList.remove("dropping");
  });
  page.addEventListener("dragend", () => stage.classList.remove("dropping"));
  page.addEventListener("drop", (event) => {
    stage.classList.remove("dropping");
    if (event.dataTransfer === null || isForTextField(event)) return;
    event.preventDefault();
    // Text is no picture, and no reason to take the answer away.
    if (event.dataTransfer.types.includes("Files")) take([...event.dataTransfer.files]);
  });

  page.addEventListener("paste", (event) => {
    if (!event.clipboardData?.types.includes("Files") || isTextField(event.target)) return;
    event.preventDefault();
    take([...event.clipboardData.files]);
  });
}

/**
 * Tells whether a file of this type is worth a look: it may be of a kind that the system doesn't know.
 *
 * @param {string} type
 */
function mayBePicture(type) {
  return type === "" || type === "application/octet-stream" || type.startsWith("image/");
}

/** @param {DataTransfer} dragged */
function wouldTake(dragged) {
  const files = [...dragged.items].filter((item) => item.kind === "file");
  // Some browsers tell no more than that there are files, until they are dropped.
  if (files.length === 0) return dragged.items.length === 0 && dragged.types.includes("Files");
  return files.length === 1 && mayBePicture(files[0].type);
}

/** @param {DragEvent} event */
function isForTextField(event) {
  return isTextField(event.target) && !event.dataTransfer?.types.includes("Files");
}

/** @param {EventTarget | null} target */
function isTextField(target) {
  if (target instanceof HTMLInputElement) return !FIELDS_WITHOUT_TEXT.includes(target.type);
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLElement && target.isContentEditable);
}

/**
 * Makes a picture fit to be sent, and ready to be shown.
 *
 * @param {Blob} blob
 * @returns {Promise<Picture>}  Its object URL is the caller's to revoke, or the view's that shows it.
 * @throws {PredictionError}  Its failure is a `PictureFailure`.
 */
export async function preparePicture(blob) {
  if (blob.size === 0) throw new PredictionError("pictureBroken");
  const name = blob instanceof File ? blob.name : "";
  const format = await recognizeFormat(blob);
  if (format === "pdf") throw new PredictionError("picturePdf");
  const url = URL.createObjectURL(blob);
  let isKept = false;
  try {
    const image = await load(url);
    if (image === null) {
      if (SHOWN_EVERYWHERE.includes(format)) throw new PredictionError("pictureBroken");
      if (!SENT_UNSEEN.includes(format)) throw new PredictionError("pictureKind");
      if (blob.size > MAX_FILE_BYTES) throw new PredictionError("pictureLarge");
      return { blob, url: null, width: 0, height: 0, name };
    }
    const decoded = await decode(blob, image, format);
    try {
      const isFit = SENT_AS_IT_IS.includes(format) && blob.size <= MAX_FILE_BYTES;
      if (isFit && decoded.width * decoded.height <= MAX_PIXELS) {
        isKept = true;
        return { blob, url, width: decoded.width, height: decoded.height, name };
      }
      const encoded = await encode(decoded, ["jpeg", "heif"].includes(format) ? "image/jpeg" : "image/png");
      return { ...encoded, url: URL.createObjectURL(encoded.blob), name };
    } finally {
      decoded.close();
    }
  } finally {
    if (!isKept) URL.revokeObjectURL(url);
  }
}

/**
 * @param {Blob} blob
 * @returns {Promise<string>}  One of `BEGINNINGS`, "svg", or "" where it is none of them.
 */
async function recognizeFormat(blob) {
  let head;
  try {
    head = new Uint8Array(await blob.slice(0, HEAD_BYTES).arrayBuffer());
  } catch {
    // A folder, or a file that is gone.
    throw new PredictionError("pictureBroken");
  }
  const letters = String.fromCharCode(...head);
  return BEGINNINGS.find(([, beginning]) => beginning.test(letters))?.[0] ?? (blob.type.includes("svg") ? "svg" : "");
}

/**
 * Opens a picture as far as its size.
 *
 * @param {string} url
 * @returns {Promise<HTMLImageElement | null>}  Null where the browser can't show it.
 */
function load(url) {
  return new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => resolve(null);
    image.src = url;
  });
}

/**
 * Decodes the whole of a picture, upright as its camera meant it: a damaged one doesn't get through.
 *
 * @param {Blob} blob
 * @param {HTMLImageElement} image  The same, opened.
 * @param {string} format
 * @returns {Promise<ImageBitmap>}
 * @throws {PredictionError}  Its failure is a `PictureFailure`.
 */
async function decode(blob, image, format) {
  const { naturalWidth, naturalHeight } = image;
  if (naturalWidth * naturalHeight > MAX_DECODED_PIXELS) throw new PredictionError("pictureLarge");
  try {
    if (SHOWN_EVERYWHERE.includes(format)) return await createImageBitmap(blob);
    // Of other kinds, browsers decode in an image what they refuse as bytes.
    if (format !== "svg") return await createImageBitmap(image);
    // Some browsers say 0 where a drawing doesn't tell its size: that one becomes a square.
    const [width, height] = naturalWidth * naturalHeight > 0 ? [naturalWidth, naturalHeight] : [1, 1];
    const scale = VECTOR_SIDE / Math.max(width, height);
    return await createImageBitmap(image, {
      resizeWidth: Math.max(Math.round(width * scale), 1),
      resizeHeight: Math.max(Math.round(height * scale), 1),
      resizeQuality: "high",
    });
  } catch {
    throw new PredictionError("pictureBroken");
  }
}

/**
 * Writes a picture anew, as large as may be.
 *
 * @param {ImageBitmap} picture
 * @param {string} type
 * @returns {Promise<{ blob: Blob, width: number, height: number }>}
 * @throws {PredictionError}  Its failure is a `PictureFailure`.
 */
async function encode(picture, type) {
  const pixels = picture.width * picture.height;
  const canvas = document.createElement("canvas");
  let most = SHRUNK_PIXELS;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const scale = Math.min(Math.sqrt(most / pixels), 1);
    canvas.width = Math.max(Math.round(picture.width * scale), 1);
    canvas.height = Math.max(Math.round(picture.height * scale), 1);
    const context = canvas.getContext("2d");
    if (context === null) break;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, type, JPEG_QUALITY));
    if (blob === null) break;
    if (blob.size <= MAX_FILE_BYTES) return { blob, width: canvas.width, height: canvas.height };
    // A photograph as PNG needs to be smaller still: by as much as it is too large, and a little.
    most = (canvas.width * canvas.height * MAX_FILE_BYTES * 0.8) / blob.size;
  }
  throw new PredictionError("pictureLarge");
}

/**
 * Shows a picture, whole, in the middle of a square.
 *
 * @param {HTMLElement} element
 * @param {I18n} i18n
 * @returns {PictureView}
 */
export function createPictureView(element, i18n) {
  const image = document.createElement("img");
  // Dragged, it would be taken for a new picture.
  image.draggable = false;
  const title = document.createElement("p");
  title.className = "unseen";
  const remark = document.createElement("p");
  remark.className = "unseen";
  /** @type {Picture | null} */
  let shown = null;

  function refresh() {
    image.alt = i18n.text("pictureAlt");
    remark.textContent = i18n.text("pictureUnseen");
  }

  /** @param {Picture | null} picture */
  function replace(picture) {
    if (shown !== null && shown.url !== null && shown.url !== picture?.url) URL.revokeObjectURL(shown.url);
    shown = picture;
    element.hidden = picture === null;
    if (picture === null) {
      image.removeAttribute("src");
      element.replaceChildren();
      return;
    }
    refresh();
    if (picture.url === null) {
      title.textContent = picture.name;
      element.replaceChildren(title, remark);
      return;
    }
    image.src = picture.url;
    element.replaceChildren(image);
  }

  return { show: replace, clear: () => replace(null), refresh };
}
