// From a place to a time and back: which line is being played, which moment a word is, what a key asks for.

/** The index of the line that sounds at `ms`: the last that began, of those still going on where there is one; -1 before. */
export function lineAt(lines, ms) {
  let found = -1;
  for (let n = 0; n < lines.length; n += 1) {
    const { start_ms, end_ms } = lines[n];
    if (start_ms > ms) break;
    const going = end_ms > ms;
    const foundGoes = found >= 0 && lines[found].end_ms > ms;
    if (going || !foundGoes) found = n;
  }
  return found;
}

/** About when the character at `offset` of a line's text is spoken: words lie along the sound by their length. */
export function momentOf({ start_ms, end_ms, text }, offset) {
  if (!text) return start_ms;
  const word = /\S*$/.exec(text.slice(0, offset)).index;
  return start_ms + ((end_ms - start_ms) * Math.min(word, text.length)) / text.length;
}

/** The turn to jump to from `ms`: the first after it, or the last that began at least half a second before. */
export function neighbour(times, ms, forward) {
  if (forward) return times.find((one) => one > ms + 1) ?? null;
  return times.findLast((one) => one < ms - 500) ?? times[0] ?? null;
}

const KEYS = {
  " ": { do: "toggle" },
  k: { do: "toggle" },
  ArrowLeft: { do: "seek", by_ms: -1000, big_ms: -5000 },
  ArrowRight: { do: "seek", by_ms: 1000, big_ms: 5000 },
  PageUp: { do: "seek", by_ms: -10_000, slider: true },
  PageDown: { do: "seek", by_ms: 10_000, slider: true },
  Home: { do: "start", slider: true },
  End: { do: "end", slider: true },
  p: { do: "turn", forward: false },
  n: { do: "turn", forward: true },
  "+": { do: "zoom", by: 1.6 },
  "=": { do: "zoom", by: 1.6 },
  "-": { do: "zoom", by: 1 / 1.6 },
  0: { do: "fit" },
};

/**
 * What a key asks for, or null. `on` is where the focus is: "text" keeps all keys, "button" keeps space (and Enter), and
 * only the time line itself takes Home, End and the page keys from the page.
 */
export function keyAction({ key, shiftKey, ctrlKey, metaKey, altKey }, on) {
  if (ctrlKey || metaKey || altKey || on === "text") return null;
  const action = KEYS[key];
  if (!action || (key === " " && on === "button") || (action.slider && on !== "slider")) return null;
  return action.do === "seek" ? { do: "seek", by_ms: shiftKey && action.big_ms ? action.big_ms : action.by_ms } : action;
}
