// Where the time went between a caller's last word and the agent's first sound, a row a turn.

export const PARTS = [
  ["endpoint_ms", "endpointing", "noticing that the caller had finished"],
  ["commit_ms", "commit", "the upstream takes the turn"],
  ["request_ms", "request", "until the answer was asked for: a session, a verdict on the caller's words"],
  ["tools_ms", "tools", "tools, handoffs and answers that were not heard, before the one that was"],
  ["created_ms", "created", "until the upstream began the response"],
  ["model_ms", "model", "the model's first sound"],
  ["gate_ms", "gate", "until guardrails let the first sound pass"],
  ["playout_ms", "playout", "starting to play"],
  ["lead_ms", "lead", "the silence the voice begins with"],
  ["wire_ms", "wire", "encoding and sending the first sound"],
];

/** The longest time that has to fit, in ms, and marks at round times over it. */
export function waterfallScale(turns) {
  const times = turns.flatMap((turn) => [turn.respond_ms, turn.limit_ms, told(turn)]).filter((ms) => ms !== null);
  const most = Math.max(100, ...times) * 1.04;
  const step = [50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 30_000].find((one) => most / one <= 6) ?? 60_000;
  const marks = [];
  for (let ms = 0; ms <= most; ms += step) marks.push(ms);
  return { most, marks };
}

/** The sum of a turn's parts; null where the journal has none. */
export function told(turn) {
  if (!turn.parts) return null;
  return PARTS.reduce((sum, [key]) => sum + (turn.parts[key] ?? 0), 0);
}

/** The bars of a turn: `[{key, name, ms, left, width}]`, left and width in percent of `most`. */
export function bars(turn, most) {
  let at = 0;
  const found = [];
  for (const [key, name] of PARTS) {
    const ms = turn.parts?.[key] ?? null;
    if (ms === null) continue;
    found.push({ key, name, ms, left: (at / most) * 100, width: (ms / most) * 100 });
    at += ms;
  }
  return found;
}

/** "late" where the answer came after its limit or never, "ok" where it kept it, "" where there was none. */
export function kept({ respond_ms, limit_ms }) {
  if (limit_ms === null) return "";
  return respond_ms !== null && respond_ms <= limit_ms ? "ok" : "late";
}
