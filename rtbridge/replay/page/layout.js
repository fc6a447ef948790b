// Where spans of a lane lie: in rows, so that none covers another, and moments too near to tell apart as one.

/** Give each span the first row in which it covers none before it; an overlap up to `slack_ms` is none. */
export function rows(spans, slack_ms = 0) {
  const taken = [];
  return spans.map((span) => {
    const covers = (other) => span.start_ms + slack_ms < other.end_ms && other.start_ms + slack_ms < span.end_ms;
    let row = taken.findIndex((others) => !others.some(covers));
    if (row < 0) row = taken.push([]) - 1;
    taken[row].push(span);
    return row;
  });
}

/**
 * The time that a span takes with its words, which stand at its beginning and are `words_px` wide: to its right, or to its
 * left where they would not fit. `[{start_ms, end_ms, left}]`.
 */
export function withWords(spans, words_px, { width, duration_ms }) {
  const msPerPx = duration_ms / width;
  return spans.map((span, n) => {
    const words_ms = words_px(span, n) * msPerPx;
    const left = span.start_ms + words_ms > duration_ms && span.start_ms > words_ms;
    if (left) return { start_ms: span.start_ms - words_ms, end_ms: span.end_ms, left };
    return { start_ms: span.start_ms, end_ms: Math.max(span.end_ms, span.start_ms + words_ms), left };
  });
}

/** Moments nearer than `near_ms` to the first of a group are one group: `[{start_ms, end_ms, spans}]`. */
export function groups(spans, near_ms) {
  const found = [];
  for (const span of spans) {
    const last = found.at(-1);
    if (last && span.start_ms - last.start_ms < near_ms) {
      last.spans.push(span);
      last.end_ms = Math.max(last.end_ms, span.end_ms);
    } else {
      found.push({ start_ms: span.start_ms, end_ms: span.end_ms, spans: [span] });
    }
  }
  return found;
}

/** What of an item was never heard, drawn where it would have played, up to the next item or `most_ms`. */
export function unheardSpans(items, most_ms) {
  return items.flatMap((item, n) => {
    if (!item.unheard) return [];
    const next = items[n + 1]?.start_ms ?? most_ms;
    const until = item.start_ms + (item.total_ms ?? 0);
    return [{ item, start_ms: item.end_ms, end_ms: Math.max(item.end_ms, Math.min(until, Math.max(next, item.end_ms), most_ms)) }];
  });
}

/** The word for a group of checks: its gravest verdict, and how many. */
export function gravest(spans) {
  const states = ["fail", "unchecked", "pending", "pass"];
  return states.find((state) => spans.some((span) => span.state === state)) ?? "pass";
}

export const LEAST_ZOOM = 1;

/** The most one can look into a call: `px_per_s` pixels a second, but never less than the whole of it. */
export function mostZoom(duration_ms, width, px_per_s = 200) {
  return Math.max(LEAST_ZOOM, (duration_ms / 1000) * (px_per_s / Math.max(1, width)));
}

/** Where to scroll so that `at_ms` stays `offset` px from the left edge of a time line `width` px long. */
export function scrollFor(at_ms, offset, width, duration_ms) {
  return Math.max(0, (at_ms / duration_ms) * width - offset);
}
