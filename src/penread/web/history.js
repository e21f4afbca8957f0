// Undo and redo. A history is a plain value and its states are never changed, so whoever keeps an
// older history can go back to it as if nothing had happened since.

/**
 * @template State
 * @typedef {object} History
 * @property {readonly State[]} past  What undo goes back to, the latest last.
 * @property {State} present
 * @property {readonly State[]} future  What redo goes forward to, the next one first.
 */

/** More steps than anyone goes back; a page left open all day must not keep everything. */
export const MAX_STEPS = 500;

/**
 * @template State
 * @param {State} state
 * @returns {History<State>}
 */
export function startHistory(state) {
  return { past: [], present: state, future: [] };
}

/**
 * Makes a state the present one. What could be redone is dropped. A state that is the present one is no step.
 *
 * @template State
 * @param {History<State>} history
 * @param {State} state
 * @returns {History<State>}
 */
export function record(history, state) {
  if (state === history.present) return history;
  return { past: [...history.past, history.present].slice(-MAX_STEPS), present: state, future: [] };
}

/**
 * Goes back one step; where there is none, the history stays as it is.
 *
 * @template State
 * @param {History<State>} history
 * @returns {History<State>}
 */
export function undo(history) {
  if (history.past.length === 0) return history;
  const present = history.past[history.past.length - 1];
  return { past: history.past.slice(0, -1), present, future: [history.present, ...history.future] };
}

/**
 * Goes forward one step; where there is none, the history stays as it is.
 *
 * @template State
 * @param {History<State>} history
 * @returns {History<State>}
 */
export function redo(history) {
  if (history.future.length === 0) return history;
  const [present, ...future] = history.future;
  return { past: [...history.past, history.present], present, future };
}
