import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_ENTRIES, MAX_TEXT, said } from "./entries.js";
import { initial, pickedAgent, reduce, stateLine } from "./state.js";

const LISTED = {
  type: "page.listed", demo: false,
  data: [{ id: "simple_handoff", title: "Haiku", start: "greeter", agents: [{ name: "greeter" }, { name: "haikuWriter" }] }],
};
const run = (events, from = initial()) => events.reduce(reduce, from);
const ready = () => run([LISTED]);
const live = () =>
  run([{ type: "page.connecting", step: "media" }, { type: "rtbridge.call.opened", scenario: "simple_handoff", agent: "greeter", demo: true }], ready());
const added = (id, role, previous_item_id, content = []) => ({
  type: "conversation.item.added", previous_item_id, item: { id, type: "message", role, content },
});
const done = (id, role, text) => ({
  type: "conversation.item.done", item: { id, type: "message", role, content: [{ type: "output_audio", transcript: text }] },
});
const heardAs = (item_id, transcript) => ({ type: "conversation.item.input_audio_transcription.completed", item_id, transcript });
const order = (state) => state.entries.map((entry) => entry.item_id ?? entry.kind);
const entry = (state, id) => state.entries.find(({ item_id }) => item_id === id);

test("messages stand in the order of audio and not of arrival", () => {
  const state = run([added("a1", "assistant", null), added("a2", "assistant", "u1"), added("u1", "user", "a1")], live());
  assert.deepEqual(order(state), ["a1", "u1", "a2"]);
});

test("a transcript that comes before its item is moved to its place", () => {
  const state = run([added("a1", "assistant", null), added("u2", "user", "a1"), heardAs("u1", "late"), added("u1", "user", "a1")], live());
  assert.deepEqual(order(state), ["a1", "u1", "u2"]);
  assert.equal(said(entry(state, "u1")), "late");
});

test("what happened after a message was said stays between it and the answer", () => {
  const handoff = { type: "rtbridge.agent.handed_off", from: "greeter", to: "haikuWriter", took_ms: 40 };
  const tool = { type: "rtbridge.tool.started", call_id: "c1", name: "look", arguments: "{}" };
  const state = run([added("u1", "user", null), tool, handoff, added("a1", "assistant", "u1")], live());
  assert.deepEqual(order(state), ["u1", "tool", "handoff", "a1"]);
  assert.equal(entry(state, "a1").agent, "haikuWriter");
});

test("an item behind one that nobody has seen goes to the end", () => {
  assert.deepEqual(order(run([added("u1", "user", null), added("a1", "assistant", "hidden")], live())), ["u1", "a1"]);
});

test("deltas of both sides are put together, and the whole replaces them", () => {
  const delta = (type, item_id, text) => ({ type, item_id, content_index: 0, delta: text });
  const agent = "response.output_audio_transcript.delta";
  let state = run([added("a1", "assistant", null), delta(agent, "a1", "Hel"), delta(agent, "a1", "lo")], live());
  assert.equal(said(entry(state, "a1")), "Hello");
  assert.equal(entry(state, "a1").done, false);
  state = run([{ type: "response.output_audio_transcript.done", item_id: "a1", content_index: 0, transcript: "Hello!" }, done("a1", "assistant", "Hello!")], state);
  assert.equal(said(entry(state, "a1")), "Hello!");
  assert.equal(entry(state, "a1").done, true);
  const caller = "conversation.item.input_audio_transcription.delta";
  state = run([delta(caller, "u1", "yes"), delta(caller, "u1", " please"), heardAs("u1", "Yes, please.")], state);
  assert.equal(said(entry(state, "u1")), "Yes, please.");
});

test("a spoken item waits for its words, a typed one has them", () => {
  const spoken = { type: "conversation.item.done", item: { id: "u1", type: "message", role: "user", content: [{ type: "input_audio", transcript: null }] } };
  let state = run([added("u1", "user", null, [{ type: "input_audio" }]), spoken], live());
  assert.equal(entry(state, "u1").done, false);
  state = run([{ type: "conversation.item.input_audio_transcription.failed", item_id: "u1", error: {} }], state);
  assert.deepEqual([entry(state, "u1").done, said(entry(state, "u1"))], [true, ""]);
  const typed = { type: "conversation.item.done", item: { id: "u2", type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] } };
  assert.equal(said(entry(run([typed], state), "u2")), "hi");
});

test("the unheard part of an interrupted answer is kept apart", () => {
  const state = run([
    added("a1", "assistant", null), done("a1", "assistant", "One two three four"),
    { type: "rtbridge.barge_in.confirmed", item_id: "a1", heard_ms: 900 },
    { type: "conversation.item.truncated", item_id: "a1", audio_end_ms: 900 },
    { type: "rtbridge.item.heard", item_id: "a1", heard_ms: 900, total_ms: 2000, heard_text: "One two", unheard_text: " three four" },
  ], live());
  const { heard, interrupted } = entry(state, "a1");
  assert.deepEqual(heard, { heard_ms: 900, total_ms: 2000, heard_text: "One two", unheard_text: " three four" });
  assert.equal(interrupted, true);
});

test("an answer that was heard to its end is not called interrupted", () => {
  const heard = { type: "rtbridge.item.heard", item_id: "a1", heard_ms: 900, total_ms: 900, heard_text: "One", unheard_text: "" };
  assert.equal(entry(run([added("a1", "assistant", null), heard], live()), "a1").interrupted, false);
});

test("an answer deleted before it was heard stays in sight as unheard", () => {
  const state = run([added("a1", "assistant", null), done("a1", "assistant", "Never said"), { type: "conversation.item.deleted", item_id: "a1" }], live());
  assert.equal(entry(state, "a1").heard.unheard_text, "Never said");
});

test("the latency of an answer is told whole and in parts, also where speech has no end", () => {
  const turn = { type: "rtbridge.turn.ended", item_id: "a1", agent: "greeter", request_ms: 4, model_ms: 250, playout_ms: 40 };
  const typed = run([added("a1", "assistant", null), turn], live());
  const { total, endpoint, request, model, playout, gate, ear } = entry(typed, "a1").latency;
  assert.deepEqual({ total, endpoint, request, model, playout, gate, ear }, { total: 294, endpoint: null, request: 4, model: 250, playout: 40, gate: null, ear: null });
  const spoken = run([{ ...turn, respond_ms: 614, endpoint_ms: 320, ear_estimate_ms: 35 }], typed);
  assert.deepEqual([entry(spoken, "a1").latency.total, entry(spoken, "a1").latency.ear], [614, 35]);
});

test("a tool call is one entry from its start to its result", () => {
  const call = { call_id: "c1", name: "look", arguments: '{"a":1}' };
  let state = run([{ type: "rtbridge.tool.started", ...call }], live());
  assert.equal(state.entries[0].done, false);
  state = run([{ type: "rtbridge.tool.ended", ...call, output: "true", took_ms: 12 }], state);
  assert.equal(state.entries.length, 1);
  const { given, output, took_ms } = state.entries[0];
  assert.deepEqual([given, output, took_ms], ['{"a":1}', "true", 12]);
  const nested = run([{ type: "rtbridge.tool.started", ...call, call_id: "c1.1", by: "supervisorAgent" }], state);
  assert.deepEqual(nested.entries.map(({ by }) => by), [null, "supervisorAgent"]);
});

test("a handoff changes who speaks now and not who spoke before", () => {
  const state = run([added("a1", "assistant", null), { type: "rtbridge.agent.handed_off", from: "greeter", to: "haikuWriter", took_ms: 1 }], live());
  assert.equal(state.agent, "haikuWriter");
  assert.equal(entry(state, "a1").agent, "greeter");
});

test("the state line follows the server's turns, which overrule the plain Realtime events", () => {
  const names = [];
  let state = live();
  for (const event of [
    { type: "output_audio_buffer.started" },
    { type: "output_audio_buffer.stopped" },
    { type: "input_audio_buffer.speech_started" },
    { type: "input_audio_buffer.speech_stopped" },
    { type: "rtbridge.turn.changed", from: "thinking", to: "agent_speaking", cause: "first_audio" },
    { type: "input_audio_buffer.speech_started" },
    { type: "rtbridge.turn.changed", from: "agent_speaking", to: "no_such_state", cause: "x" },
    { type: "rtbridge.turn.changed", from: "agent_speaking", to: "deciding", cause: "speech_started" },
  ]) {
    state = reduce(state, event);
    names.push(stateLine(state).name);
  }
  assert.deepEqual(names, [
    "agent_speaking", "listening", "caller_speaking", "thinking",
    "agent_speaking", "agent_speaking", "agent_speaking", "deciding",
  ]);
});

test("the state line tells the whole way of a call in words", () => {
  let state = initial();
  const at = (...events) => {
    state = run(events, state);
    const { name, words, hint } = stateLine(state);
    assert.ok(words);
    return [name, hint];
  };
  assert.equal(at()[0], "loading");
  assert.equal(at(LISTED)[0], "idle");
  assert.deepEqual(at({ type: "page.connecting", step: "microphone" }), ["connecting", "Allow the microphone if asked"]);
  assert.equal(at({ type: "page.channel_opened" })[0], "connecting");
  assert.equal(at({ type: "session.created" })[0], "listening");
  assert.equal(at({ type: "page.path_changed", connected: false })[0], "interrupted");
  assert.equal(at({ type: "page.path_changed", connected: true })[0], "listening");
  assert.deepEqual(at({ type: "page.ended", reason: "the server is stopping" }), ["ended", "because the server is stopping"]);
});

test("a failed call tells its problem and the next call starts afresh", () => {
  let state = run([added("u1", "user", null), { type: "page.failed", problem: { kind: "connection_lost" } }], live());
  assert.equal(stateLine(state).name, "failed");
  assert.equal(state.problem.title, "The connection was lost");
  assert.equal(entry(state, "u1").done, true, "nothing waits for words that cannot come");
  state = run([{ type: "page.connecting", step: "microphone" }], state);
  assert.deepEqual([state.problem, state.entries.length, state.agent, state.scenario], [null, 0, "greeter", "simple_handoff"]);
});

test("a link to a scenario or an agent that is not here is told and the start is picked", () => {
  const state = reduce(initial(), { ...LISTED, scenario: "gone", agent: "nobody" });
  assert.deepEqual([state.scenario, state.pick], ["simple_handoff", "greeter"]);
  assert.match(state.problem.advice, /gone/);
  assert.match(reduce(initial(), { ...LISTED, agent: "nobody" }).problem.advice, /nobody/);
  assert.equal(reduce(initial(), { ...LISTED, scenario: "simple_handoff", agent: "haikuWriter" }).pick, "haikuWriter");
  assert.equal(reduce(initial(), { ...LISTED, data: [] }).problem.kind, "no_scenarios");
  const cafe = { id: "cafe", title: "Café", start: "host", agents: [{ name: "host" }] };
  const two = { ...LISTED, data: [cafe, ...LISTED.data] };
  const picks = [{}, { default: "simple_handoff" }, { default: "gone" }, { default: "simple_handoff", scenario: "cafe" }];
  const found = picks.map((pick) => reduce(initial(), { ...two, ...pick }).scenario);
  assert.deepEqual(found, ["cafe", "simple_handoff", "cafe", "cafe"]);
});

test("nothing can be picked during a call", () => {
  const state = live();
  assert.equal(reduce(state, { type: "page.picked", scenario: "simple_handoff", agent: "haikuWriter" }), state);
  assert.equal(reduce(ready(), { type: "page.picked", scenario: "simple_handoff", agent: "haikuWriter" }).agent, "haikuWriter");
});

test("an agent picked during a call is shown at once and speaks when the server says so", () => {
  const wish = { type: "page.switching", agent: "haikuWriter", event_id: "switch_1" };
  const asked = run([wish], live());
  assert.deepEqual([pickedAgent(asked), asked.agent], ["haikuWriter", "greeter"]);
  const over = run([{ type: "rtbridge.agent.handed_off", from: "greeter", to: "haikuWriter", took_ms: 12 }], asked);
  assert.deepEqual([pickedAgent(over), over.agent, over.switching], ["haikuWriter", "haikuWriter", null]);
  assert.equal(over.entries.at(-1).kind, "handoff");
  assert.equal(over.pick, "greeter"); // the next call starts where it was to start
  assert.equal(run([wish], ready()).switching, null);
  assert.equal(run([{ ...wish, agent: "nobody" }], live()).switching, null);
});

test("a switch that is refused or fails goes back to who speaks, with words", () => {
  const asked = () => run([{ type: "page.switching", agent: "haikuWriter", event_id: "switch_1" }], live());
  const error = (event_id) => ({ type: "error", error: { event_id, code: "too_many_handoffs", message: "4 handoffs are the most" } });
  const refused = run([error("switch_1")], asked());
  assert.deepEqual([pickedAgent(refused), refused.entries.at(-1).text], ["greeter", "4 handoffs are the most"]);
  assert.equal(pickedAgent(run([error("another")], asked())), "haikuWriter");
  const failed = run([{ type: "rtbridge.agent.switch_failed", to: "haikuWriter", why: "its session could not be made" }], asked());
  assert.deepEqual([pickedAgent(failed), failed.entries.at(-1).text], ["greeter", "Not switched: its session could not be made."]);
  assert.equal(run([{ type: "page.ended", reason: "hangup" }], asked()).switching, null);
});

test("errors and notices of the server are entries, in its words", () => {
  const state = run([
    { type: "error", error: { message: "No such event.", code: "unknown_event" } },
    { type: "rtbridge.notice", message: "Left as it is.", ignored: ["voice", "tools"] },
    { type: "response.done", response: { status: "failed", status_details: { error: { message: "Rate limit." } } } },
    { type: "response.done", response: { status: "incomplete", status_details: { reason: "max_output_tokens" } } },
  ], live());
  assert.deepEqual(state.entries.map(({ text }) => text), [
    "No such event.", "Left as it is. (voice, tools)", "Rate limit.", "The answer was cut short: max output tokens.",
  ]);
});

test("events that are unknown, malformed or about nothing change nothing", () => {
  const state = live();
  for (const event of [
    null, 7, "x", {}, { type: "toString" }, { type: "__proto__" }, { type: "rate_limits.updated" },
    { type: "conversation.item.added" }, { type: "conversation.item.added", item: { id: 4, type: "message", role: "user" } },
    { type: "conversation.item.added", item: { id: "f1", type: "function_call" } },
    { type: "conversation.item.added", item: { id: "s1", type: "message", role: "system" } },
    { type: "response.output_audio_transcript.delta", item_id: "a1" }, { type: "response.output_audio_transcript.delta", delta: "x" },
    { type: "rtbridge.item.heard", item_id: "a9" }, { type: "rtbridge.agent.handed_off" }, { type: "rtbridge.tool.ended" },
    { type: "rtbridge.turn.changed" }, { type: "rtbridge.barge_in.confirmed" }, { type: "conversation.item.deleted" },
  ]) {
    assert.equal(reduce(state, event), state, JSON.stringify(event));
  }
  assert.equal(reduce(state, { type: "response.done" }).entries.length, 0);
});

test("memory is bounded: old entries go and are counted, long texts are cut", () => {
  let state = live();
  for (let n = 0; n < MAX_ENTRIES + 50; n++) state = reduce(state, { type: "rtbridge.notice", message: `n${n}` });
  assert.equal(state.entries.length, MAX_ENTRIES);
  assert.equal(state.dropped, 50);
  assert.equal(state.entries[0].text, "n50");
  const delta = { type: "response.output_audio_transcript.delta", item_id: "a1", delta: "x".repeat(MAX_TEXT) };
  for (const content_index of [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 999_999]) state = reduce(state, { ...delta, content_index });
  assert.ok(said(entry(state, "a1")).length <= 8 * MAX_TEXT);
  state = reduce(state, { type: "rtbridge.tool.ended", call_id: "c1", name: "t", arguments: "", output: "y".repeat(10 * MAX_TEXT), took_ms: 1 });
  assert.equal(state.entries.at(-1).output.length, MAX_TEXT);
});

test("a reduction never changes the state it was given", () => {
  const freeze = (value) => {
    if (value && typeof value === "object" && !Object.isFrozen(value)) Object.values(Object.freeze(value)).forEach(freeze);
    return value;
  };
  let state = freeze(live());
  for (const event of [
    added("a1", "assistant", null), done("a1", "assistant", "Hi"), added("u1", "user", "a1"), heardAs("u1", "yes"),
    { type: "rtbridge.tool.started", call_id: "c", name: "t", arguments: "{}" },
    { type: "rtbridge.tool.ended", call_id: "c", name: "t", arguments: "{}", output: "1", took_ms: 1 },
    { type: "page.ended", reason: "hangup" },
  ]) {
    state = freeze(reduce(state, event));
  }
  assert.equal(state.entries.length, 3);
});

const judged = (item_id, state, more = {}) => ({ type: "rtbridge.guardrail.judged", item_id, state, who: "agent", ...more });

test("a message is pending until it is judged, and the last verdict counts", () => {
  const pending = run([added("a1", "assistant", null), judged("a1", "pending")], live());
  assert.equal(entry(pending, "a1").guardrail.state, "pending");
  const failed = reduce(pending, judged("a1", "fail", { category: "OFFENSIVE", rationale: "It insults.", text: "Bad.", latency_ms: 310.4 }));
  assert.deepEqual(entry(failed, "a1").guardrail, {
    state: "fail", category: "OFFENSIVE", rationale: "It insults.", text: "Bad.", latency_ms: 310,
  });
});

test("verdicts of no known kind or about nothing change nothing", () => {
  const state = run([added("a1", "assistant", null)], live());
  assert.equal(reduce(state, judged("a1", "fine")), state);
  assert.equal(reduce(state, judged("unknown", "pass")), state);
  assert.equal(reduce(state, judged(null, "pass")), state);
});

test("a check that the call did not wait for is shown as unchecked and never as a pass", () => {
  const state = run([added("a1", "assistant", null), judged("a1", "pending"), added("a2", "assistant", "a1"), judged("a2", "pass"),
    { type: "page.ended", reason: "the caller hung up" }], live());
  assert.deepEqual([entry(state, "a1").guardrail.state, entry(state, "a2").guardrail.state], ["unchecked", "pass"]);
});

test("whose words they are is known before the handoff is told, and the handoff stands before them", () => {
  let state = reduce(initial(), { type: "rtbridge.call.opened", scenario: "s", agent: "greeter", demo: false });
  for (const [item_id, agent] of [["a", "greeter"], ["b", "poet"]]) {
    state = reduce(state, { type: "rtbridge.item.begun", item_id, agent });
    state = reduce(state, { type: "response.output_audio_transcript.delta", item_id, content_index: 0, delta: agent });
  }
  state = reduce(state, { type: "rtbridge.agent.handed_off", from: "greeter", to: "poet", took_ms: 3 });
  assert.deepEqual(
    state.entries.map(({ kind, agent }) => [kind, agent]),
    [["message", "greeter"], ["handoff", undefined], ["message", "poet"]],
  );
  assert.equal(state.agent, "poet");
});

test("a handoff back to an agent stands where it happened", () => {
  let state = reduce(initial(), { type: "rtbridge.item.begun", item_id: "a", agent: "poet" });
  state = reduce(state, { type: "rtbridge.agent.handed_off", from: "poet", to: "greeter" });
  state = reduce(state, { type: "rtbridge.agent.handed_off", from: "greeter", to: "poet" });
  assert.deepEqual(state.entries.map(({ kind }) => kind), ["message", "handoff", "handoff"]);
});

test("a bound that was reached is told in words", () => {
  const told = ["tool_calls", "handoffs"].map((bound) => reduce(live(), { type: "rtbridge.bound.reached", bound, limit: 4 }).entries[0].text);
  assert.deepEqual(told, ["A tool was not run: 4 calls a turn are the most.", "Not handed over: 4 times within a minute is the most."]);
});
