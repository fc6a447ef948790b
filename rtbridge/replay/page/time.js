// Time as the report writes it. All times are ms of the call.

/** "0:05.4", "12:00.0": a place in the call, to a tenth of a second. */
export function clock(ms) {
  const tenths = Math.floor(Math.max(0, ms) / 100);
  const seconds = Math.floor(tenths / 10);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** "640 ms", "1.24 s", "2 min 12 s": how long something took. */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** "5 seconds", "1 minute 4.5 seconds": a place in the call for a screen reader. */
export function spoken(ms) {
  const tenths = Math.floor(Math.max(0, ms) / 100);
  const minutes = Math.floor(tenths / 600);
  const seconds = (tenths % 600) / 10;
  const rest = `${seconds} second${seconds === 1 ? "" : "s"}`;
  return minutes ? `${minutes} minute${minutes === 1 ? "" : "s"} ${rest}` : rest;
}

const STEPS_MS = [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000];

/** Where a ruler `width` px wide is marked: `[{ms, label}]`, no two labels nearer than `apart` px. */
export function ticks(duration_ms, width, apart = 64) {
  if (!(duration_ms > 0) || !(width > 0)) return [];
  const least = (duration_ms * apart) / width;
  const step = STEPS_MS.find((one) => one >= least) ?? STEPS_MS.at(-1);
  const marks = [];
  for (let ms = 0; ms < duration_ms; ms += step) marks.push({ ms, label: step < 1000 ? precise(ms) : clock(ms).slice(0, -2) });
  return marks;
}

function precise(ms) {
  return `${clock(ms).slice(0, -2)}.${String(ms % 1000).padStart(3, "0").slice(0, 2)}`;
}

export const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
