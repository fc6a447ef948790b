import assert from "node:assert/strict";
import { test } from "node:test";
import { answerProblem, tellEnding, tellProblem } from "./words.js";

test("every problem says what happened and what to do", () => {
  for (const kind of [
    "permission_denied", "no_microphone", "microphone_busy", "insecure_origin", "no_webrtc", "server_down", "server_slow",
    "bad_answer", "no_media_path", "connection_lost", "sound_blocked", "no_scenarios",
  ]) {
    const { title, advice } = tellProblem({ kind });
    assert.notEqual(title, "Something went wrong", kind);
    assert.match(advice, /[.)]$/, kind);
  }
});

test("the server's own words are told, with an end and with the time to wait", () => {
  assert.equal(tellProblem(answerProblem(404, "There is no scenario 'x'", 0)).advice, "There is no scenario 'x'. The server's log tells more.");
  assert.equal(tellProblem(answerProblem(503, "Full.", 5)).advice, "Full. Try again in 5 s.");
  assert.match(tellProblem(answerProblem(500, undefined, 0)).advice, /HTTP 500/);
});

test("blocked UDP names the flag that a test browser lacks", () => {
  assert.match(tellProblem({ kind: "no_media_path" }).advice, /--allow-loopback-in-peer-connection/);
});

test("an unknown problem is told in its own words, and nothing breaks it", () => {
  assert.equal(tellProblem({ kind: "toString", message: "odd" }).advice, "odd.");
  assert.equal(tellProblem(null).title, "Something went wrong");
});

test("a call's ending is words, a code or nothing at all", () => {
  assert.equal(tellEnding("hangup"), "you hung up");
  assert.equal(tellEnding("caller_hangup"), "you hung up");
  assert.equal(tellEnding("the caller did not come back"), "the caller did not come back");
  assert.equal(tellEnding("max_output_tokens"), "max output tokens");
  assert.equal(tellEnding(undefined), "of an unknown reason");
});
