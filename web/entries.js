// The transcript as a list: its entries, their order and their bounds. Pure functions over an immutable state
// that has `entries`, `dropped`, `count` and `agent`; which event calls for which of them is state.js' business.
// Messages stand in the order of audio, by `previous_item_id`; everything else stands where it happened.

export const MAX_ENTRIES = 400; // older ones are dropped and counted
export const MAX_TEXT = 16_000; // characters a part, an argument or an output may have; then it is cut
export const MAX_PARTS = 8; // content parts an item may have

export const clip = (value) => (typeof value === "string" ? value.slice(0, MAX_TEXT) : "");
export const ms = (value) => (Number.isFinite(value) && value >= 0 ? Math.round(value) : null);
export const isId = (value) => typeof value === "string" && value !== "" && value.length <= 256;

/** What a message says: all of its parts. */
export function said(entry) {
  return entry.parts.join("");
}

/** Where the entry of this key is, or -1. */
export function find(state, key) {
  for (let at = state.entries.length - 1; at >= 0; at--) if (state.entries[at].key === key) return at;
  return -1;
}

function insert(state, at, entry) {
  const entries = state.entries.toSpliced(at, 0, entry);
  const over = Math.max(0, entries.length - MAX_ENTRIES);
  return { ...state, entries: over ? entries.slice(over) : entries, dropped: state.dropped + over };
}

/** Add an entry at the end; it gets a key of its own unless it has one. */
export function append(state, entry) {
  const count = state.count + 1;
  return insert({ ...state, count }, state.entries.length, { key: `${entry.kind}:${count}`, ...entry });
}

/** Add an entry before the run of entries at the end that starts with the first one of which `isAfter` holds. */
export function appendBefore(state, entry, isAfter) {
  let at = state.entries.length;
  for (let i = at - 1; i >= 0 && state.entries[i].kind !== "handoff"; i--) if (isAfter(state.entries[i])) at = i;
  const count = state.count + 1;
  return insert({ ...state, count }, at, { key: `${entry.kind}:${count}`, ...entry });
}

/** Change some fields of the entry at `at`. */
export function replace(state, at, change) {
  return { ...state, entries: state.entries.with(at, { ...state.entries[at], ...change }) };
}

function message(state, item_id, role) {
  const agent = role === "assistant" ? state.agent : null;
  return {
    key: `message:${item_id}`, kind: "message", item_id, role, agent, parts: [],
    placed: false, // its place is known, not guessed
    done: false, heard: null, interrupted: false, latency: null,
    guardrail: null, // {state: pending | pass | fail | unchecked, category, rationale, text, latency_ms}
  };
}

/** Change the message `item_id`; one that is not there yet is appended first, its place to be corrected. */
export function amend(state, item_id, role, change) {
  if (!isId(item_id)) return state;
  let at = find(state, `message:${item_id}`);
  if (at < 0) {
    state = insert(state, state.entries.length, message(state, item_id, role));
    at = state.entries.length - 1;
  }
  return replace(state, at, change(state.entries[at]));
}

/** Change the message `item_id` if it is there. */
export function touch(state, item_id, change) {
  const at = isId(item_id) ? find(state, `message:${item_id}`) : -1;
  return at < 0 ? state : replace(state, at, change(state.entries[at]));
}

/** Put a message behind `previous` (null: before all messages; unknown or unsaid: it stays at the end). */
export function place(state, item_id, role, previous) {
  if (!isId(item_id)) return state;
  const key = `message:${item_id}`;
  let entry = message(state, item_id, role);
  let at = find(state, key);
  if (at >= 0) {
    if (state.entries[at].placed || previous === undefined) return state;
    entry = state.entries[at];
  }
  entry = { ...entry, placed: previous !== undefined };
  const rest = at < 0 ? state : { ...state, entries: state.entries.toSpliced(at, 1) };
  let to = at < 0 ? rest.entries.length : at;
  if (previous === null) {
    const first = rest.entries.findIndex((one) => one.kind === "message");
    if (first >= 0) to = first;
  } else if (previous !== undefined) {
    const before = find(rest, `message:${previous}`);
    if (before >= 0) {
      to = before + 1;
      // What happened after `previous` was said (a tool, another agent) happened before this item.
      while (to < rest.entries.length && rest.entries[to].kind !== "message") to++;
    }
  }
  return insert(rest, to, entry);
}

/** The parts with that of `index` changed by `text(old)`. */
export function withPart(parts, index, text) {
  const at = Number.isInteger(index) && index >= 0 ? Math.min(index, MAX_PARTS - 1) : 0;
  const next = [...parts];
  while (next.length < at) next.push("");
  next[at] = clip(text(next[at] ?? ""));
  return next;
}
