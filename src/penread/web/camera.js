// The camera: shows what it sees, and takes a picture of what is inside of the frame to aim with.

/**
 * @typedef {"cameraDenied" | "cameraMissing" | "cameraBusy"} CameraFailure  Names the words for it, a headline and a
 *   remark.
 *
 * @typedef {object} CameraParts
 * @property {HTMLVideoElement} video  A square that shows the middle of what the camera sees, while it is on.
 * @property {(blob: Blob) => void} onPicture  Called with a JPEG, when the camera is off again.
 * @property {(failure: CameraFailure) => void} onError  Called when the camera doesn't go on, or is lost.
 * @property {() => void} [onStop]  Called when the camera went off unasked: nobody looks at the page any more.
 *
 * @typedef {object} Camera
 * @property {() => boolean} available  Whether there may be one: browsers have none on insecure pages.
 * @property {() => Promise<boolean>} start  Tells whether it is on.
 * @property {() => Promise<void>} shoot  Takes the picture, and ends.
 * @property {() => void} stop
 */

/** More than are looked at when a character or a word is read; phones have it, and webcams give what they have. */
const WANTED = { facingMode: { ideal: "environment" }, width: { ideal: 1920 }, height: { ideal: 1440 } };
/** From the edge of the square to the frame to aim with, as a part of the square's side. The style sheet draws it. */
export const AIM_INSET = 0.12;
const JPEG_QUALITY = 0.92;

/**
 * @param {CameraParts} parts
 * @returns {Camera}
 */
export function createCamera({ video, onPicture, onError, onStop = () => {} }) {
  /** @type {MediaStream | null} */
  let stream = null;
  /** Another number for each start and stop: the reader may have changed their mind while the browser asked them. */
  let turn = 0;

  function stop() {
    turn += 1;
    if (stream === null) return;
    for (const track of stream.getTracks()) track.stop();
    stream = null;
    video.srcObject = null;
    video.hidden = true;
  }

  /** @param {CameraFailure} failure */
  function fail(failure) {
    stop();
    onError(failure);
  }

  function available() {
    return isSecureContext && typeof navigator.mediaDevices?.getUserMedia === "function";
  }

  async function start() {
    stop();
    const mine = turn;
    if (!available()) {
      fail("cameraMissing");
      return false;
    }
    try {
      const opened = await navigator.mediaDevices.getUserMedia({ video: WANTED, audio: false });
      if (mine !== turn) {
        for (const track of opened.getTracks()) track.stop();
        return false;
      }
      stream = opened;
      for (const track of opened.getTracks()) {
        // Unplugged, or taken away by the system. Our own stop() raises no such event.
        track.addEventListener("ended", () => {
          if (stream === opened) fail("cameraBusy");
        });
      }
      video.srcObject = opened;
      video.hidden = false;
      await video.play();
      return mine === turn;
    } catch (error) {
      // Stopped on purpose, so there is nothing to tell.
      if (mine !== turn) return false;
      fail(nameFailure(error));
      return false;
    }
  }

  async function shoot() {
    const mine = turn;
    if (stream === null) return;
    // The first picture may be on its way yet.
    if (video.readyState < video.HAVE_CURRENT_DATA) {
      await new Promise((resolve) => video.addEventListener("loadeddata", resolve, { once: true }));
      if (mine !== turn) return;
    }
    const side = Math.round((1 - 2 * AIM_INSET) * Math.min(video.videoWidth, video.videoHeight));
    const [left, top] = [(video.videoWidth - side) / 2, (video.videoHeight - side) / 2];
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    canvas.getContext("2d")?.drawImage(video, left, top, side, side, 0, 0, side, side);
    stop();
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
    if (blob === null) onError("cameraBusy");
    else onPicture(blob);
  }

  // Nobody wants a camera on that they don't see.
  function stopUnseen() {
    if (stream === null) return;
    stop();
    onStop();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") stopUnseen();
  });
  addEventListener("pagehide", stopUnseen);

  return { available, start, shoot, stop };
}

/**
 * @param {unknown} error
 * @returns {CameraFailure}
 */
function nameFailure(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "cameraDenied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "cameraMissing";
  return "cameraBusy";
}
