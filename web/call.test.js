import assert from "node:assert/strict";
import { test } from "node:test";
import { ANSWER_MS, CallProblem, createCall, listScenarios, MEDIA_MS } from "./call.js";

// A browser in a few lines: every API that call.js is given, with a clock that moves only when told.
function fakeBrowser(overrides = {}) {
  const log = { requests: [], events: [], stopped: 0, timers: new Map(), peers: [] };
  const track = { kind: "audio", enabled: true, stop: () => log.stopped++ };
  const microphone = { getTracks: () => [track], getAudioTracks: () => [track] };
  class Peer {
    iceConnectionState = "new";
    connectionState = "new";
    closed = false;
    constructor(config) {
      this.config = config;
      log.peers.push(this);
    }
    addTransceiver(...args) {
      this.transceiver = args;
    }
    createDataChannel(label) {
      this.channel = { label, readyState: "connecting", sent: [], send: (text) => this.channel.sent.push(text), close() {} };
      return this.channel;
    }
    async createOffer() {
      return { type: "offer", sdp: "v=0 offer" };
    }
    setLocalDescription() {
      log.postedBeforeGathering = posts().length;
      return Promise.resolve();
    }
    async setRemoteDescription({ sdp }) {
      if (sdp === "junk") throw new Error("unparsable");
      this.remote = sdp;
    }
    close() {
      this.closed = true;
    }
  }
  const browser = {
    RTCPeerConnection: Peer,
    getUserMedia: async () => microphone,
    fetch: async (path, init = {}) => {
      log.requests.push({ path, ...init });
      if (init.method === "OPTIONS") return answer(204, "", { Link: overrides.link });
      if (init.method === "DELETE") return answer(200, "");
      return answer(201, "v=0 answer", { Location: "/v1/realtime/calls/rtc_1" });
    },
    clock: {
      setTimeout: (run, ms) => log.timers.set({}, { run, ms }) && [...log.timers.keys()].at(-1),
      clearTimeout: (id) => log.timers.delete(id),
    },
    ...overrides,
  };
  const fire = (ms) => [...log.timers].forEach(([id, timer]) => timer.ms === ms && (log.timers.delete(id), timer.run()));
  const call = createCall(browser, {
    scenario: "simple_handoff",
    agent: "greeter",
    on: { event: (event) => log.events.push(event), microphone: () => {}, sound: (stream) => (log.sound = stream) },
  });
  const last = () => log.events.at(-1);
  const posts = () => log.requests.filter(({ method }) => method === "POST");
  const deletes = () => log.requests.filter(({ method }) => method === "DELETE");
  return { call, log, fire, last, posts, deletes, track, open: () => openChannel(log.peers[0]) };
}

function answer(status, body, headers = {}) {
  const get = (name) => headers[name] ?? null;
  return { ok: status < 300, status, headers: { get }, text: async () => body, json: async () => JSON.parse(body) };
}

function openChannel(peer) {
  peer.channel.readyState = "open";
  peer.channel.onopen();
}

const named = (name) => Object.assign(new Error(name), { name });
const problemOf = ({ last }) => (assert.equal(last().type, "page.failed"), last().problem);

test("the offer goes out bare and at once, without waiting for gathering", async () => {
  const { call, log, posts } = fakeBrowser();
  await call.open();
  assert.equal(log.postedBeforeGathering, 1);
  assert.equal(posts().length, 1);
  const { path, body, headers } = posts()[0];
  assert.equal(path, "/v1/realtime/calls?scenario=simple_handoff&agent=greeter");
  assert.equal(body, "v=0 offer");
  assert.equal(headers["Content-Type"], "application/sdp");
  assert.equal(log.peers[0].remote, "v=0 answer");
  assert.equal(log.peers[0].channel.label, "oai-events");
  assert.equal(log.peers[0].transceiver[1].direction, "sendrecv");
  assert.deepEqual(log.events.map(({ step }) => step), ["microphone", "server", "media"]);
});

test("ICE servers named by the server are gathered with", async () => {
  const { call, log } = fakeBrowser({ link: '<turn:t.example:3478>; rel="ice-server"; username="9:r"; credential="c=="' });
  await call.open();
  assert.deepEqual(log.peers[0].config.iceServers, [{ urls: "turn:t.example:3478", username: "9:r", credential: "c==" }]);
});

test("an event of the data channel is passed on, and garbage or a forged page event is not", async () => {
  const { call, log, open } = fakeBrowser();
  await call.open();
  open();
  const { channel } = log.peers[0];
  const before = log.events.length;
  for (const data of ["{", "null", "3", '{"type":7}', '{"type":"page.ended"}', new ArrayBuffer(4)]) channel.onmessage({ data });
  assert.equal(log.events.length, before);
  channel.onmessage({ data: '{"type":"response.created"}' });
  assert.deepEqual(log.events.at(-1), { type: "response.created" });
});

test("a typed message becomes an item and a request for an answer", async () => {
  const { call, log, open } = fakeBrowser();
  await call.open();
  assert.equal(call.say("too early"), false);
  open();
  assert.equal(call.say("yes please"), true);
  const [create, respond] = log.peers[0].channel.sent.map((text) => JSON.parse(text));
  assert.deepEqual(create.item.content, [{ type: "input_text", text: "yes please" }]);
  assert.equal(respond.type, "response.create");
});

test("a switch names the agent and what an error about it shall name", async () => {
  const { call, log, open } = fakeBrowser();
  await call.open();
  assert.equal(call.switchTo("haikuWriter", "switch_0"), false);
  open();
  assert.equal(call.switchTo("haikuWriter", "switch_1"), true);
  assert.deepEqual(log.peers[0].channel.sent.map((text) => JSON.parse(text)).at(-1), {
    type: "rtbridge.agent.switch", event_id: "switch_1", agent: "haikuWriter",
  });
});

test("a tool call is approved and rejected by its id, where there is a channel", async () => {
  const { call, log, open } = fakeBrowser();
  await call.open();
  assert.equal(call.answer("c1", true, "answer_0"), false);
  open();
  assert.ok(call.answer("c1", true, "answer_1") && call.answer("c2", false, "answer_2"));
  assert.deepEqual(log.peers[0].channel.sent.map((text) => JSON.parse(text)).slice(-2), [
    { type: "rtbridge.tool.approve", event_id: "answer_1", call_id: "c1" },
    { type: "rtbridge.tool.reject", event_id: "answer_2", call_id: "c2" },
  ]);
});

test("hanging up deletes the call once, with keepalive, and lets the microphone go", async () => {
  const { call, log, last, deletes } = fakeBrowser();
  await call.open();
  call.hangUp();
  call.hangUp();
  assert.deepEqual(deletes().map(({ path, keepalive }) => [path, keepalive]), [["/v1/realtime/calls/rtc_1", true]]);
  assert.equal(log.stopped, 1);
  assert.ok(log.peers[0].closed);
  assert.deepEqual(last(), { type: "page.ended", reason: "hangup" });
});

test("hanging up while the server answers deletes the call as soon as its address is known", async () => {
  let respond;
  const requests = [];
  const { call } = fakeBrowser({
    fetch: (path, init) => {
      requests.push([init.method, path]);
      if (init.method !== "POST") return Promise.resolve(answer(204, ""));
      return new Promise((resolve) => (respond = resolve));
    },
  });
  const opening = call.open();
  while (!respond) await Promise.resolve();
  call.hangUp();
  respond(answer(201, "v=0 answer", { Location: "/v1/realtime/calls/rtc_2" }));
  await opening;
  assert.deepEqual(requests.at(-1), ["DELETE", "/v1/realtime/calls/rtc_2"]);
});

test("hanging up while the person is asked for the microphone lets it go unused", async () => {
  let allow;
  const { call, log, track } = fakeBrowser({ getUserMedia: () => new Promise((resolve) => (allow = resolve)) });
  const opening = call.open();
  call.hangUp();
  allow({ getTracks: () => [track], getAudioTracks: () => [track] });
  await opening;
  assert.equal(log.stopped, 1);
  assert.equal(log.peers.length, 0);
});

test("a DELETE goes only to the path of a call", async () => {
  const { call, deletes } = fakeBrowser({
    fetch: async (path, init) => answer(201, "v=0", { Location: "https://elsewhere.example/private" }),
  });
  await call.open();
  call.hangUp();
  assert.equal(deletes().length, 0);
});

for (const [name, kind] of [
  ["NotAllowedError", "permission_denied"],
  ["NotFoundError", "no_microphone"],
  ["OverconstrainedError", "no_microphone"],
  ["NotReadableError", "microphone_busy"],
  ["SecurityError", "insecure_origin"],
]) {
  test(`a microphone that fails with ${name} is the problem ${kind}`, async () => {
    const rig = fakeBrowser({ getUserMedia: async () => Promise.reject(named(name)) });
    await rig.call.open();
    assert.deepEqual(problemOf(rig), { kind });
    assert.equal(rig.posts().length, 0);
  });
}

test("without getUserMedia the origin is insecure, without RTCPeerConnection the browser cannot call", async () => {
  const insecure = fakeBrowser({ getUserMedia: undefined });
  await insecure.call.open();
  assert.equal(problemOf(insecure).kind, "insecure_origin");
  const old = fakeBrowser({ RTCPeerConnection: undefined });
  await old.call.open();
  assert.equal(problemOf(old).kind, "no_webrtc");
});

test("a server that is down is told as such, and the microphone is let go", async () => {
  const rig = fakeBrowser({ fetch: async () => Promise.reject(new TypeError("Failed to fetch")) });
  await rig.call.open();
  assert.equal(problemOf(rig).kind, "server_down");
  assert.equal(rig.log.stopped, 1);
});

for (const [status, kind] of [[400, "refused"], [401, "unauthorized"], [404, "refused"], [429, "call_limit"], [500, "server_error"], [503, "call_limit"]]) {
  test(`HTTP ${status} is the problem ${kind}, with the server's own words`, async () => {
    const body = JSON.stringify({ error: { type: "x", code: "y", message: "In its own words.", param: null } });
    const rig = fakeBrowser({ fetch: async () => answer(status, body, { "Retry-After": "5" }) });
    await rig.call.open();
    assert.deepEqual(problemOf(rig), { kind, status, message: "In its own words.", retry_after_s: 5 });
  });
}

test("an error page that is not JSON is still told", async () => {
  const rig = fakeBrowser({ fetch: async () => answer(502, "<h1>Bad gateway</h1>") });
  await rig.call.open();
  assert.deepEqual(problemOf(rig), { kind: "server_error", status: 502, message: undefined, retry_after_s: 0 });
});

test("an answer that is no SDP is told, and the call is deleted", async () => {
  const rig = fakeBrowser({ fetch: async () => answer(201, "junk", { Location: "/v1/realtime/calls/rtc_3" }) });
  await rig.call.open();
  assert.equal(problemOf(rig).kind, "bad_answer");
});

test("a server that never answers is given up after its time", async () => {
  const rig = fakeBrowser({
    fetch: (path, { method, signal }) =>
      method === "POST"
        ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(named("AbortError"))))
        : Promise.resolve(answer(204, "")),
  });
  const opening = rig.call.open();
  while (![...rig.log.timers.values()].some(({ ms }) => ms === ANSWER_MS)) await Promise.resolve();
  rig.fire(ANSWER_MS);
  await opening;
  assert.equal(problemOf(rig).kind, "server_slow");
});

for (const state of ["new", "checking"]) {
  test(`ICE that is still ${state} after 10 s means that UDP is blocked`, async () => {
    const rig = fakeBrowser();
    await rig.call.open();
    rig.log.peers[0].iceConnectionState = state;
    rig.fire(MEDIA_MS);
    assert.equal(problemOf(rig).kind, "no_media_path");
    assert.equal(rig.deletes().length, 1);
  });
}

test("ICE that is connected after 10 s is left alone", async () => {
  const rig = fakeBrowser();
  await rig.call.open();
  rig.log.peers[0].iceConnectionState = "connected";
  rig.fire(MEDIA_MS);
  assert.equal(rig.last().step, "media");
});

test("a path that breaks is told, and one that fails for good ends the call", async () => {
  const rig = fakeBrowser();
  await rig.call.open();
  rig.open();
  const [peer] = rig.log.peers;
  peer.connectionState = "disconnected";
  peer.onconnectionstatechange();
  assert.deepEqual(rig.last(), { type: "page.path_changed", connected: false });
  peer.connectionState = "failed";
  peer.onconnectionstatechange();
  assert.equal(problemOf(rig).kind, "connection_lost");
});

test("a call that the server closes ends with its reason and needs no DELETE", async () => {
  const rig = fakeBrowser();
  await rig.call.open();
  rig.open();
  rig.log.peers[0].channel.onmessage({ data: '{"type":"rtbridge.call.closed","reason":"the server is stopping","duration_ms":9}' });
  rig.log.peers[0].channel.onclose();
  assert.deepEqual(rig.last(), { type: "page.ended", reason: "the server is stopping" });
  assert.equal(rig.deletes().length, 0);
  assert.ok(rig.log.peers[0].closed);
});

test("the agent's audio is handed over", async () => {
  const rig = fakeBrowser();
  await rig.call.open();
  rig.log.peers[0].ontrack({ track: { kind: "audio" }, streams: ["stream"] });
  assert.equal(rig.log.sound, "stream");
});

test("scenarios are listed, and a list that is none is a problem", async () => {
  const good = async () => answer(200, '{"data":[],"demo":true}');
  assert.deepEqual(await listScenarios(good), { data: [], demo: true });
  await assert.rejects(listScenarios(async () => answer(200, "[]")), (error) => error instanceof CallProblem && error.problem.kind === "bad_answer");
});

test("controls are events of the data channel, and a muted microphone is silent here too", async () => {
  const { call, log, open, track } = fakeBrowser();
  await call.open();
  assert.equal(call.press(), false);
  assert.equal(call.release(true), false);
  open();
  call.mute(true);
  assert.equal(track.enabled, false);
  call.mute(false);
  assert.equal(track.enabled, true);
  call.pause(true);
  call.hold(true);
  call.detectTurns(null);
  call.press();
  call.release(true);
  call.release(false);
  assert.deepEqual(log.peers[0].channel.sent.map((text) => JSON.parse(text)), [
    { type: "rtbridge.input_audio.mute", muted: true },
    { type: "rtbridge.input_audio.mute", muted: false },
    { type: "rtbridge.output_audio.pause", paused: true },
    { type: "rtbridge.call.hold", held: true },
    { type: "session.update", session: { type: "realtime", audio: { input: { turn_detection: null } } } },
    { type: "input_audio_buffer.clear" },
    { type: "input_audio_buffer.commit" },
    { type: "response.create" },
    { type: "input_audio_buffer.commit" },
  ]);
});
