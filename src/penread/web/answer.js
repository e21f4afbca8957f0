// The answer: shows what the server read, or in words why there is nothing to show, and says the
// same to screen readers. `data-state` tells the style sheet what to make of it.

/**
 * @typedef {import("./api.js").Candidate} Candidate
 * @typedef {import("./api.js").Prediction} Prediction
 * @typedef {import("./api.js").PredictionError} PredictionError
 * @typedef {import("./i18n.js").I18n} I18n
 *
 * @typedef {"empty" | "busy" | "ready" | "blank" | "unclear" | "stale" | "error"} State
 *
 * @typedef {object} AnswerParts  The elements that make up the answer.
 * @property {HTMLElement} root
 * @property {HTMLElement} char
 * @property {HTMLElement} headline
 * @property {HTMLElement} remark
 * @property {HTMLElement} candidatesHeading
 * @property {HTMLElement} candidates
 * @property {HTMLImageElement} glyph
 *
 * @typedef {object} AnswerView
 * @property {() => void} showEmpty
 * @property {() => void} showBusy
 * @property {() => void} showBlank
 * @property {(prediction: Prediction) => void} showPrediction
 * @property {(error: PredictionError) => void} showError
 * @property {() => void} markStale  Tells that the drawing is no longer the one that was read.
 */

/** A server that answers within this needs no words about waiting, which would only flicker. */
const PATIENCE_MS = 300;

/**
 * How sure an answer is, in words: the first whose share it reaches.
 * @type {[share: number, key: string][]}
 */
const CERTAINTY = [
  [0.9, "certain"],
  [0.6, "likely"],
  [0.3, "possible"],
  [0, "guess"],
];

/**
 * @param {AnswerParts} parts
 * @param {I18n} i18n
 * @param {(sentence: string) => void} announce
 * @returns {AnswerView}
 */
export function createAnswerView(parts, i18n, announce) {
  const { text } = i18n;
  let waiting = 0;

  /** @param {State} state */
  function setState(state) {
    clearTimeout(waiting);
    parts.root.dataset.state = state;
    parts.root.setAttribute("aria-busy", String(state === "busy"));
  }

  /**
   * @param {string} headline
   * @param {string} remark
   */
  function setWords(headline, remark) {
    parts.headline.textContent = headline;
    parts.headline.classList.remove("number");
    parts.remark.textContent = remark;
  }

  /**
   * @param {readonly Candidate[]} candidates
   * @param {string} [heading]  The key of the words above them.
   */
  function setCandidates(candidates, heading = "candidatesHeading") {
    parts.candidatesHeading.textContent = text(heading);
    parts.candidates.replaceChildren(...candidates.map((candidate) => createRow(candidate, i18n)));
    parts.candidates.hidden = candidates.length === 0;
  }

  /** @param {string | null} glyph */
  function setGlyph(glyph) {
    parts.glyph.hidden = glyph === null;
    if (glyph !== null) parts.glyph.src = glyph;
  }

  /**
   * Shows words in place of an answer.
   *
   * @param {State} state
   * @param {string} headline
   * @param {string} remark
   */
  function showWords(state, headline, remark) {
    setState(state);
    setWords(headline, remark);
    parts.char.textContent = "";
    setCandidates([]);
    setGlyph(null);
  }

  function showEmpty() {
    showWords("empty", text("emptyHeadline"), text("emptyRemark"));
  }

  function showBlank() {
    showWords("blank", text("blankHeadline"), text("blankRemark"));
    announce(`${text("blankHeadline")}. ${text("blankRemark")}`);
  }

  /** @param {readonly Candidate[]} candidates */
  function speakList(candidates) {
    return candidates
      .map(({ char, confidence }) =>
        text("spokenCandidate", { char: i18n.spokenChar(char), percent: i18n.spokenPercent(confidence) }),
      )
      .join("; ");
  }

  return {
    showEmpty,
    showBlank,

    showBusy() {
      setState("busy");
      waiting = setTimeout(() => {
        setWords(text("busyHeadline"), "");
        announce(text("busyHeadline"));
      }, PATIENCE_MS);
    },

    showPrediction({ char, confidence, candidates, rejected, reason, glyph }) {
      if (rejected === "blank") {
        showBlank();
        return;
      }
      setGlyph(glyph);
      if (char === null) {
        setState("unclear");
        setCandidates(candidates, "perhapsHeading");
        parts.char.textContent = "?";
        const headline = text(reason === null ? "unclearHeadline" : `${reason}Headline`);
        const remark = text(reason === null ? "unclearRemark" : `${reason}Remark`);
        setWords(headline, remark);
        const list = candidates.length > 0 ? ` ${text("spokenPerhaps", { list: speakList(candidates) })}` : "";
        announce(`${headline}. ${remark}${list}`);
        return;
      }
      setState("ready");
      setCandidates(candidates);
      parts.char.textContent = char;
      setWords(i18n.percent(confidence), text(nameCertainty(confidence)));
      parts.headline.classList.add("number");
      const others = candidates.filter((candidate) => candidate.char !== char);
      const list = others.length > 0 ? ` ${text("spokenOthers", { list: speakList(others) })}` : "";
      const percent = i18n.spokenPercent(confidence);
      announce(text("spokenAnswer", { char: i18n.spokenChar(char), percent }) + list);
    },

    showError({ failure, status }) {
      const code = status === null ? "" : ` ${text("errorCode", { status })}`;
      const headline = text(`${failure}Headline`);
      const remark = text(`${failure}Remark`) + code;
      showWords("error", headline, remark);
      announce(`${headline}. ${remark}`);
    },

    markStale() {
      const { state } = parts.root.dataset;
      // "Nothing is drawn yet" is no longer true, and there is no old answer to keep.
      if (state === "blank") showEmpty();
      if (state !== "ready" && state !== "unclear") return;
      setState("stale");
      parts.remark.textContent = text("staleRemark");
    },
  };
}

/** @param {number} confidence */
function nameCertainty(confidence) {
  return CERTAINTY.find(([share]) => confidence >= share)?.[1] ?? "guess";
}

/**
 * @param {Candidate} candidate
 * @param {I18n} i18n
 */
function createRow({ char, confidence }, i18n) {
  const row = document.createElement("li");
  row.dataset.char = char;
  row.style.setProperty("--share", String(confidence));

  const name = document.createElement("span");
  name.className = "name";
  name.textContent = char;
  // The bar repeats the number.
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  const share = document.createElement("span");
  share.className = "share";
  share.textContent = i18n.percent(confidence);

  row.append(name, " ", bar, " ", share);
  return row;
}
