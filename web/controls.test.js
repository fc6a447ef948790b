import assert from "node:assert/strict";
import { test } from "node:test";
import { createTalkButton, LEAST_MS } from "./controls.js";
import { initial, reduce, stateLine } from "./state.js";

const reduced = (...events) => events.reduce(reduce, initial());
const BY_HAND = { type: "session.updated", session: { audio: { input: { turn_detection: null } } } };
const byVad = (turn_detection) => ({ type: "session.updated", session: { audio: { input: { turn_detection } } } });
const live = (...events) => reduced({ type: "page.connecting", step: "server" }, { type: "session.created", session: {} }, ...events);
const changed = (muted, paused, held) => ({ type: "rtbridge.controls.changed", muted, paused, held });
const turn = (to) => ({ type: "rtbridge.turn.changed", to });

// A button with its events told by hand, on a clock that stands still until it is moved.
function rigged({ may = true } = {}) {
  const rig = { log: [], ms: 0, may, target: { captured: [], setPointerCapture: (id) => rig.target.captured.push(id) } };
  rig.talk = createTalkButton({
    button: rig.target,
    mayTalk: () => rig.may,
    press: () => rig.log.push("press"),
    release: (long) => rig.log.push(long ? "release" : "tap"),
    now: () => rig.ms,
  });
  rig.key = (key, more = {}) => {
    const event = { key, target: { closest: () => null }, preventDefault: () => (event.prevented = true), ...more };
    rig.talk.keydown(event);
    return event;
  };
  return rig;
}

test("what is in force is what the server said last, and nothing else is taken for true", () => {
  assert.deepEqual(live(changed(true, false, true)).controls, { muted: true, paused: false, held: true });
  assert.deepEqual(live(changed("yes", 1, null)).controls, { muted: false, paused: false, held: false });
  assert.deepEqual(reduced(changed(true, true, true), { type: "page.connecting", step: "server" }).controls, initial().controls);
});

test("push to talk is a session without turn detection, and the way back is the one it came from", () => {
  const vad = { type: "server_vad", silence_duration_ms: 300 };
  const state = live(byVad(vad), BY_HAND);
  assert.equal(state.byHand, true);
  assert.deepEqual(state.detection, vad);
  const pressed = reduce(state, { type: "page.pressed" });
  const back = reduce(pressed, byVad(vad));
  assert.deepEqual([back.byHand, back.pressed], [false, false]);
  assert.equal(reduce(state, { type: "session.updated", session: {} }), state);
});

test("a press counts in a live call by hand that is not on hold", () => {
  const press = { type: "page.pressed" };
  assert.equal(live(BY_HAND, press).pressed, true);
  assert.equal(live(press).pressed, false);
  assert.equal(reduced(BY_HAND, press).pressed, false);
  assert.equal(live(BY_HAND, changed(false, false, true), press).pressed, false);
  assert.equal(live(BY_HAND, press, { type: "page.let_go" }).pressed, false);
  assert.equal(live(BY_HAND, press, { type: "page.ended", reason: "hangup" }).pressed, false);
});

test("the state line says what is in force in words, and the turn stays what programs read", () => {
  const line = (...events) => stateLine(live(...events));
  assert.deepEqual(line(changed(false, false, true)), { name: "held", words: "On hold", hint: "Neither of you is heard" });
  assert.deepEqual(line(turn("agent_speaking"), changed(false, true, false)), {
    name: "agent_speaking", words: "Agent paused", hint: "Playback is off; you may talk",
  });
  assert.equal(line(changed(false, true, false)).hint, "Playback is off; you may talk");
  assert.equal(line(changed(true, false, false)).hint, "Your microphone is muted");
  assert.equal(line(BY_HAND).hint, "Hold the button or the space bar");
  assert.equal(line(BY_HAND, turn("agent_speaking")).hint, "Press to interrupt");
  assert.equal(line(BY_HAND, turn("caller_speaking")).hint, "Taking in your last words");
  assert.equal(line(BY_HAND, turn("thinking")).hint, "One moment");
  assert.equal(line(BY_HAND, { type: "page.pressed" }).words, "You are speaking");
  assert.equal(line(BY_HAND, changed(true, false, false), { type: "page.pressed" }).hint, "But you are muted");
  assert.equal(line().hint, "Say something");
});

test("a tap that the server takes for no turn is told as advice", () => {
  const state = live({ type: "error", error: { code: "input_audio_buffer_commit_empty", message: "a turn has at least 100 ms" } });
  const { tone, text } = state.entries.at(-1);
  assert.deepEqual([tone, text], ["info", "Hold the button down while you speak."]);
});

test("a finger that slides off the button lets go once, and a press of under 100 ms is a tap", () => {
  const rig = rigged();
  rig.talk.pointerdown({ button: 0, pointerId: 7 });
  assert.deepEqual(rig.target.captured, [7]);
  rig.ms = LEAST_MS;
  rig.talk.pointerup();
  rig.talk.pointerup();
  rig.talk.pointerdown({ button: 0, pointerId: 7 });
  rig.ms += LEAST_MS - 1;
  rig.talk.pointerup();
  rig.talk.pointerdown({ button: 2, pointerId: 7 });
  assert.deepEqual(rig.log, ["press", "release", "press", "tap"]);
});

test("the space bar talks where it means nothing else, and a key that repeats presses once", () => {
  const rig = rigged();
  assert.equal(rig.key(" ").prevented, true);
  assert.equal(rig.key(" ", { repeat: true }).prevented, true);
  rig.talk.pointerup();
  rig.ms = 500;
  rig.talk.keyup({ key: "a" });
  assert.deepEqual(rig.log, ["press"]);
  rig.talk.keyup({ key: " " });
  assert.deepEqual(rig.log, ["press", "release"]);
  const typed = rig.key(" ", { target: { closest: () => ({}) } });
  assert.deepEqual([typed.prevented, rig.log.length], [undefined, 2]);
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }]) rig.key(" ", more);
  rig.key("Enter");
  assert.equal(rig.log.length, 2);
});

test("on the button itself both of a button's keys talk", () => {
  const rig = rigged();
  rig.key("Enter", { target: rig.target });
  rig.ms = 500;
  rig.talk.keyup({ key: "Enter" });
  rig.key(" ", { target: rig.target });
  rig.talk.letGo();
  assert.deepEqual(rig.log, ["press", "release", "press", "tap"]);
  rig.talk.letGo();
  assert.equal(rig.log.length, 4);
});

test("where a press would count for nothing the space bar is left alone", () => {
  const rig = rigged({ may: false });
  assert.equal(rig.key(" ").prevented, undefined);
  rig.talk.pointerdown({ button: 0, pointerId: 1 });
  assert.deepEqual(rig.log, []);
});
