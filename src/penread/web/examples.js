// The examples: drawings to try, each a button with a small picture of itself. They are fetched when they come into
// view. docs/make_examples.py draws them.

/**
 * @typedef {import("./i18n.js").I18n} I18n
 * @typedef {import("./strokes.js").Point} Point
 * @typedef {import("./strokes.js").Stroke} Stroke
 *
 * @typedef {object} Example
 * @property {"letter" | "digit" | "alike" | "small" | "word" | "number" | "code" | "scribble"} kind
 * @property {string} text  What is written; empty for a scribble.
 * @property {Stroke[]} strokes  In units of the canvas side.
 *
 * @typedef {object} Examples
 * @property {() => void} refresh  Says the same in the language of now.
 */

const FILE = new URL("examples.json", import.meta.url);
const SVG = "http://www.w3.org/2000/svg";
/** In units of the canvas side; a little wider than a pen, so that words can be made out. */
const PEN_WIDTH = 0.05;

/**
 * @param {HTMLElement} list  Gets the buttons.
 * @param {object} options
 * @param {I18n} options.i18n
 * @param {(strokes: Stroke[], name: string) => void} options.onPick  Called with strokes in units of the canvas side.
 * @returns {Examples}
 */
export function createExamples(list, { i18n, onPick }) {
  /** @type {Map<Example, HTMLButtonElement>} */
  const buttons = new Map();
  let isAsked = false;

  function refresh() {
    for (const [example, button] of buttons) {
      const label = describe(example, i18n);
      button.setAttribute("aria-label", label);
      button.title = label;
    }
  }

  async function load() {
    if (isAsked) return;
    isAsked = true;
    try {
      const response = await fetch(FILE);
      if (!response.ok) throw new Error(`${FILE.pathname}: ${response.status}`);
      for (const example of /** @type {Example[]} */ (await response.json())) {
        buttons.set(example, createButton(example));
      }
    } catch {
      // The page does without them, and asks again when they come into view again.
      isAsked = false;
      return;
    }
    refresh();
    list.replaceChildren(...buttons.values());
    watcher.disconnect();
  }

  /** @param {Example} example */
  function createButton(example) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "example";
    button.append(createThumbnail(example.strokes));
    // Each picking gets strokes of its own: they will be drawn on.
    button.addEventListener("click", () => onPick(structuredClone(example.strokes), example.text || example.kind));
    return button;
  }

  const watcher = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) void load();
  });
  watcher.observe(list);

  return { refresh };
}

/**
 * @param {Example} example
 * @param {I18n} i18n
 */
function describe({ kind, text }, i18n) {
  const name = `example${kind[0].toUpperCase()}${kind.slice(1)}`;
  return i18n.text(name, { text: text.length === 1 ? i18n.spokenChar(text) : text });
}

/** @param {readonly Stroke[]} strokes */
function createThumbnail(strokes) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", strokes.map(asPath).join(""));
  const look = { fill: "none", stroke: "currentColor", "stroke-linecap": "round", "stroke-linejoin": "round" };
  for (const [attribute, value] of Object.entries(look)) line.setAttribute(attribute, value);
  line.setAttribute("stroke-width", String(PEN_WIDTH));
  svg.append(line);
  return svg;
}

/**
 * The smooth line of a stroke: curves between the middles of its steps, as the canvas draws it.
 *
 * @param {Stroke} stroke
 */
function asPath(stroke) {
  const curves = stroke.slice(1, -1).map((point, index) => {
    const next = stroke[index + 2];
    return `Q${point} ${(point[0] + next[0]) / 2} ${(point[1] + next[1]) / 2}`;
  });
  return `M${stroke[0]}${curves.join("")}L${stroke[stroke.length - 1]}`;
}
