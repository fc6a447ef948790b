// What the page knows, as one immutable value, and how each event changes it: `reduce(state, event) -> state`.
// Pure: no DOM, no clock, no network. Events are those of the data channel (OpenAI Realtime GA plus
// `rtbridge.*`, the vocabulary of core/journal.py) and the page's own `page.*`. Events that are unknown,
// malformed or about nothing change nothing and give the same object back, so a renderer may compare by `===`.
import { APPROVAL_RULES, dropped, unanswered } from "./approvals.js";
import { CONTROL_RULES, controlLine, NO_CONTROLS, withDetection } from "./controls.js";
import { amend, append, appendBefore, clip, find, isId, MAX_PARTS, ms, place, replace, said, touch, withPart } from "./entries.js";
import { tellEnding, tellProblem } from "./words.js";

// Of rtbridge.turn.ended, in order: their sum is what the caller waited.
export const LATENCY_PARTS = [
  "endpoint", "commit", "request", "tools", "created", "model", "gate", "playout", "lead", "wire",
];
const JUDGED = new Set(["pending", "pass", "fail", "unchecked"]); // states of rtbridge.guardrail.judged
const TURN_LINES = {
  listening: ["Listening", "Say something"],
  caller_speaking: ["You are speaking", "Pause when done"],
  thinking: ["Thinking", "One moment"],
  agent_speaking: ["Speaking", "Talk to interrupt"],
  deciding: ["Deciding", "Was that an interruption?"],
};
const TURNS = new Set(Object.keys(TURN_LINES));

/** The state of a page nobody has touched. */
export function initial() {
  return {
    phase: "loading", // loading | idle | connecting | live | ended
    step: null, // of connecting: microphone | server | media
    turn: "listening", // of live: a state of core/turns.py
    ruled: false, // the server tells turns itself (rtbridge.turn.changed): nothing else moves them
    path: true, // packets get through
    scenarios: [], // [{id, title, start, agents: [{name, description}]}]
    scenario: null, // picked
    pick: null, // name of the agent picked to begin with
    agent: null, // who speaks now
    controls: NO_CONTROLS, // {muted, paused, held}: in force, as the server says
    byHand: false, // turns are pushed to talk: nobody finds them
    pressed: false, // the button to talk is down
    detection: { type: "server_vad" }, // how turns were found last, to go back to
    switching: null, // {agent, event_id}: who was picked during the call and has not taken over yet
    demo: false,
    entries: [], // {key, kind: message | tool | approval | handoff | notice, …}
    dropped: 0,
    count: 0, // numbers the entries that have no id of their own
    problem: null, // {kind, title, advice}
    ending: null, // "you hung up"
  };
}

/** The next state. Never throws, whatever `event` is. */
export function reduce(state, event) {
  const type = event?.type;
  if (typeof type !== "string" || !Object.hasOwn(RULES, type)) return state;
  return RULES[type](state, event) ?? state;
}

/** The scenario picked, or null. */
export function picked(state) {
  return state.scenarios.find((one) => one.id === state.scenario) ?? null;
}

/** The agent that the picker shows: in a call who speaks or is to, else who is to begin. */
export function pickedAgent(state) {
  return state.phase === "live" ? state.switching?.agent ?? state.agent : state.pick;
}

/** How the state line reads: `{name, words, hint}`; `name` is for programs, `words` and `hint` for people. */
export function stateLine(state) {
  const line = (name, words, hint = "") => ({ name, words, hint });
  switch (state.phase) {
    case "loading":
      return line("loading", "One moment");
    case "connecting":
      if (state.step === "microphone") return line("connecting", "Connecting", "Allow the microphone if asked");
      return line("connecting", "Connecting", state.step === "media" ? "Opening the audio path" : "Calling");
    case "ended":
      if (state.problem) return line("failed", "Not connected");
      return line("ended", "Call ended", `because ${state.ending}`);
    case "live":
      break;
    default:
      return line("idle", "Ready", "Connect and talk");
  }
  if (!state.path) return line("interrupted", "Connection interrupted", "Waiting for it to come back");
  const [words, hint] = TURN_LINES[state.turn];
  return { ...line(state.turn, words, hint), ...controlLine(state) };
}

// -- what several rules do --------------------------------------------------------------------------------
const delta = (role) => (state, { item_id, content_index, delta: more }) =>
  typeof more !== "string"
    ? state
    : amend(state, item_id, role, ({ parts }) => ({ parts: withPart(parts, content_index, (old) => old + more) }));

const whole = (role, field) => (state, { item_id, content_index, [field]: text }) =>
  amend(state, item_id, role, ({ parts }) => ({
    parts: typeof text === "string" ? withPart(parts, content_index, () => text) : parts,
    done: role === "user", // an assistant's item is done when conversation.item.done says so
  }));

/** conversation.item.added and .done: an item is there; of messages, its place and its words. */
function item(state, { item: it, previous_item_id: previous }, done) {
  if (it?.type !== "message" || (it.role !== "user" && it.role !== "assistant")) return state;
  const placed = place(state, it.id, it.role, previous);
  const content = (Array.isArray(it.content) ? it.content : []).slice(0, MAX_PARTS);
  const words = content.map((part) => part?.transcript ?? part?.text);
  const told = words.some((text) => typeof text === "string" && text !== "");
  const spoken = it.role === "user" && content.some((part) => part?.type === "input_audio");
  return touch(placed, it.id, (entry) => ({
    parts: told ? words.map(clip) : entry.parts,
    // The words of a spoken item come later, by input_audio_transcription.*
    done: entry.done || (done && (!spoken || told)),
  }));
}

/** A turn as told by plain Realtime events; where the server tells turns itself, those alone count. */
const hint = (turn) => (state) => (state.ruled || state.turn === turn ? state : { ...live(state), turn });

const live = (state) => (state.phase === "connecting" ? { ...state, phase: "live", step: null } : state);

function interrupt(state, { item_id, heard_ms, audio_end_ms }) {
  const until = ms(heard_ms ?? audio_end_ms);
  return touch(state, item_id, ({ heard }) => ({
    interrupted: true,
    heard: heard ?? (until === null ? null : { heard_ms: until, total_ms: null, heard_text: null, unheard_text: "" }),
  }));
}

function over(state) {
  const entries = state.entries.map(dropped).map((one) => {
    const now = one.done === false ? { ...one, done: true } : one;
    if (now.guardrail?.state !== "pending") return now; // a verdict that did not come is none
    return { ...now, guardrail: { ...now.guardrail, state: "unchecked", rationale: "The call ended first." } };
  });
  return { ...state, phase: "ended", step: null, path: true, switching: null, pressed: false, entries };
}

const elsewhere = (message) => tellProblem({ kind: "unknown_choice", message });

const note = (state, tone, text) => append(state, { kind: "notice", tone, text: clip(text) });

// -- the rules, by event type -------------------------------------------------------------------------------
const RULES = {
  // the page itself
  "page.listed": (state, { data, default: usual, demo, scenario, agent }) => {
    const scenarios = data.filter((one) => isId(one?.id) && Array.isArray(one.agents));
    const wanted = scenarios.find((one) => one.id === scenario);
    const chosen = wanted ?? scenarios.find((one) => one.id === usual) ?? scenarios[0];
    const known = chosen?.agents.some((one) => one.name === agent);
    let problem = chosen ? null : tellProblem({ kind: "no_scenarios" });
    if (chosen && scenario && !wanted) {
      problem = elsewhere(`There is no scenario “${scenario}”; “${chosen.id}” is picked instead`);
    } else if (chosen && agent && !known) {
      problem = elsewhere(`There is no agent “${agent}” in “${chosen.id}”; “${chosen.start}” is picked instead`);
    }
    const pick = known ? agent : chosen?.start ?? null;
    const choice = { scenario: chosen?.id ?? null, pick, agent: pick };
    return { ...state, phase: "idle", scenarios, demo: demo === true, ...choice, problem };
  },
  "page.picked": (state, { scenario, agent }) => {
    const chosen = state.scenarios.find((one) => one.id === scenario);
    if (!chosen || state.phase === "connecting" || state.phase === "live") return state;
    const pick = chosen.agents.some((one) => one.name === agent) ? agent : chosen.start;
    return { ...state, scenario, pick, agent: pick, problem: null };
  },
  "page.switching": (state, { agent, event_id }) => {
    const known = picked(state)?.agents.some((one) => one.name === agent);
    return known && state.phase === "live" ? { ...state, switching: { agent, event_id } } : state;
  },
  "page.connecting": (state, { step }) => {
    if (state.phase === "connecting") return { ...state, step };
    const { scenarios, scenario, pick, demo, count } = state; // of the call before, nothing else stays
    return { ...initial(), phase: "connecting", step, scenarios, scenario, pick, demo, count, agent: pick };
  },
  "page.path_changed": (state, { connected }) => (state.path === connected ? state : { ...state, path: connected }),
  "page.sound_blocked": (state) => ({ ...state, problem: tellProblem({ kind: "sound_blocked" }) }),
  "page.sound_plays": (state) => (state.problem?.kind === "sound_blocked" ? { ...state, problem: null } : state),
  "page.failed": (state, { problem }) => ({ ...over(state), ending: null, problem: tellProblem(problem) }),
  "page.ended": (state, { reason }) => ({ ...over(state), problem: null, ending: tellEnding(reason) }),

  // the call
  ...CONTROL_RULES,
  "session.created": (state, event) => withDetection(live(state), event),
  "rtbridge.call.opened": (state, { agent, demo }) => ({
    ...live(state), agent: isId(agent) ? agent : state.agent, demo: demo === true,
  }),
  "rtbridge.notice": (state, { message: text, ignored }) => {
    const names = Array.isArray(ignored) && ignored.length ? ` (${ignored.join(", ")})` : "";
    return note(state, "info", `${clip(text)}${names}`);
  },
  error: (state, { error }) => {
    const refused = state.switching !== null && error?.event_id === state.switching.event_id;
    const now = unanswered(refused ? { ...state, switching: null } : state, error?.event_id);
    if (error?.code === "input_audio_buffer_commit_empty") return note(now, "info", "Hold the button down while you speak.");
    return note(now, "error", error?.message || error?.code || "The server told of an error.");
  },

  // whose turn
  "rtbridge.turn.changed": (state, { to }) => (TURNS.has(to) ? { ...live(state), ruled: true, turn: to } : state),
  "input_audio_buffer.speech_started": hint("caller_speaking"),
  "input_audio_buffer.speech_stopped": hint("thinking"),
  "response.created": (state) => (state.turn === "listening" ? hint("thinking")(state) : state),
  "output_audio_buffer.started": hint("agent_speaking"),
  "output_audio_buffer.stopped": hint("listening"),
  "output_audio_buffer.cleared": (state) => (state.turn === "agent_speaking" ? hint("listening")(state) : state),
  "response.done": (state, { response }) => {
    const details = response?.status_details;
    const next = state.turn === "thinking" ? hint("listening")(state) : state;
    if (response?.status === "failed") return note(next, "error", details?.error?.message || "The answer failed.");
    if (response?.status === "incomplete") {
      return note(next, "info", `The answer was cut short: ${tellEnding(details?.reason)}.`);
    }
    return next;
  },

  // what is said
  "conversation.item.added": (state, event) => item(state, event, false),
  "conversation.item.created": (state, event) => item(state, event, false), // servers of before GA
  "conversation.item.done": (state, event) => item(state, event, true),
  "input_audio_buffer.committed": (state, { item_id, previous_item_id: previous }) =>
    place(state, item_id, "user", previous),
  "conversation.item.input_audio_transcription.delta": delta("user"),
  "conversation.item.input_audio_transcription.completed": whole("user", "transcript"),
  "conversation.item.input_audio_transcription.failed": whole("user", "none"),
  "response.output_audio_transcript.delta": delta("assistant"),
  "response.output_audio_transcript.done": whole("assistant", "transcript"),
  "response.output_text.delta": delta("assistant"),
  "response.output_text.done": whole("assistant", "text"),

  // what was heard of it
  "rtbridge.barge_in.confirmed": interrupt,
  "conversation.item.truncated": interrupt,
  "rtbridge.item.heard": (state, { item_id, heard_ms, total_ms, heard_text, unheard_text }) =>
    touch(state, item_id, ({ interrupted }) => ({
      done: true,
      interrupted: interrupted || clip(unheard_text).trim() !== "",
      heard: {
        heard_ms: ms(heard_ms), total_ms: ms(total_ms),
        heard_text: clip(heard_text), unheard_text: clip(unheard_text),
      },
    })),
  "conversation.item.deleted": (state, { item_id }) =>
    touch(state, item_id, (entry) => ({
      done: true, // what the agent never got to say stays in sight, as unheard
      heard: entry.heard ?? { heard_ms: 0, total_ms: null, heard_text: "", unheard_text: said(entry) },
    })),
  "rtbridge.turn.ended": (state, event) => {
    const part = (name) => ms(event[`${name}_ms`]);
    const parts = Object.fromEntries(LATENCY_PARTS.map((name) => [name, part(name)]));
    const total = part("respond") ?? Object.values(parts).reduce((sum, one) => sum + (one ?? 0), 0);
    return amend(state, event.item_id, "assistant", (entry) => ({
      latency: { total, ...parts, ear: part("ear_estimate") },
      agent: isId(event.agent) ? event.agent : entry.agent,
    }));
  },

  "rtbridge.guardrail.judged": (state, { item_id, state: verdict, category, rationale, text, latency_ms }) =>
    !JUDGED.has(verdict)
      ? state
      : touch(state, item_id, () => ({
          guardrail: {
            state: verdict, category: clip(category), rationale: clip(rationale), text: clip(text),
            latency_ms: ms(latency_ms),
          },
        })),

  // agents and tools
  ...APPROVAL_RULES,
  "rtbridge.agent.handed_off": (state, { from, to, took_ms }) => {
    if (!isId(to)) return state;
    const entry = { kind: "handoff", from: clip(from), to, took_ms: ms(took_ms) };
    const switching = state.switching?.agent === to ? null : state.switching;
    return appendBefore({ ...state, agent: to, switching }, entry, (other) => other.kind === "message" && other.agent === to);
  },
  "rtbridge.agent.switch_failed": (state, { why }) =>
    note({ ...state, switching: null }, "error", `Not switched: ${clip(why)}.`),
  // The new agent's first words are often there before the old one has fallen silent and the handoff is told.
  "rtbridge.item.begun": (state, { item_id, agent }) =>
    isId(agent) ? amend(state, item_id, "assistant", () => ({ agent })) : state,
  "rtbridge.bound.reached": (state, { bound, limit }) =>
    note(state, "info", bound === "handoffs"
      ? `Not handed over: ${limit} times within a minute is the most.`
      : `A tool was not run: ${limit} calls a turn are the most.`),
  "rtbridge.tool.started": (state, { call_id, name, arguments: given, by }) => {
    if (!isId(call_id) || find(state, `tool:${call_id}`) >= 0) return state;
    const entry = { key: `tool:${call_id}`, kind: "tool", agent: state.agent, name: clip(name), given: clip(given) };
    // `by` is a text agent that works behind the one who speaks: its calls are told apart from those of the call.
    return append(state, { ...entry, by: typeof by === "string" ? clip(by) : null, output: null, took_ms: null, done: false });
  },
  "rtbridge.tool.ended": (state, event) => {
    const begun = RULES["rtbridge.tool.started"](state, event);
    const at = find(begun, `tool:${event.call_id}`);
    return at < 0 ? begun : replace(begun, at, { output: clip(event.output), took_ms: ms(event.took_ms), done: true });
  },
};
