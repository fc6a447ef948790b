// The page put together: the only file that touches the globals of the browser. It passes what people do to
// call.js, what happens to state.js, and the state to view.js.
import { anyWaiting } from "./approvals.js";
import { CallProblem, createCall, listScenarios } from "./call.js";
import { createTalkButton, mayTalk } from "./controls.js";
import { createMeter } from "./level.js";
import { following, initial, mount, reduce, render, toNewest } from "./view.js";

const browser = {
  fetch: (...args) => fetch(...args),
  RTCPeerConnection: globalThis.RTCPeerConnection,
  // Undefined where the origin is not secure (Secure Contexts §1): call.js says so in words.
  getUserMedia: navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices),
  clock: { setTimeout: (run, ms) => setTimeout(run, ms), clearTimeout: (id) => clearTimeout(id) },
};

const dom = mount(document);
let state = initial();
let call = null;
let listing = null; // the last answer of /v1/scenarios
let drawn = 0;
let switches = 0; // numbers the wishes for another agent
let answers = 0; // numbers the answers to tool calls that wait for one
const timer = { id: 0, last_ms: 0 }; // runs while such a call waits
const ears = { context: null, mic: null, agent: null, frame: 0 };

function dispatch(event) {
  state = reduce(state, event);
  drawn ||= requestAnimationFrame(draw);
  keepTime();
}

function keepTime() {
  const waiting = anyWaiting(state);
  if (waiting && !timer.id) {
    timer.last_ms = performance.now();
    timer.id = setInterval(tick, 250);
  } else if (!waiting && timer.id) {
    clearInterval(timer.id);
    timer.id = 0;
  }
}

function tick() {
  const elapsed_ms = Math.round(performance.now() - timer.last_ms);
  timer.last_ms += elapsed_ms;
  dispatch({ type: "page.ticked", elapsed_ms });
}

function draw() {
  drawn = 0;
  render(state, dom);
}

// -- levels -------------------------------------------------------------------------------------------------
function listen(which, stream) {
  ears.context ??= new AudioContext();
  ears.context.resume();
  ears[which]?.close();
  ears[which] = createMeter(ears.context, stream);
  ears.frame ||= requestAnimationFrame(measure);
}

function measure() {
  paint(ears.mic?.read() ?? 0, ears.agent?.read() ?? 0);
  ears.frame = requestAnimationFrame(measure);
}

function paint(mic, agent) {
  dom.stage.style.setProperty("--mic", mic.toFixed(3));
  dom.stage.style.setProperty("--voice", agent.toFixed(3));
}

function deafen() {
  cancelAnimationFrame(ears.frame);
  ears.frame = 0;
  ears.mic?.close();
  ears.agent?.close();
  ears.mic = ears.agent = null;
  paint(0, 0);
}

// -- the call -----------------------------------------------------------------------------------------------
function connect() {
  const mine = createCall(browser, {
    scenario: state.scenario,
    agent: state.pick,
    on: {
      event(event) {
        dispatch(event);
        if (event.type === "page.ended" || event.type === "page.failed") forget(mine);
      },
      microphone: (stream) => listen("mic", stream),
      sound: (stream, track) => play(stream ?? new MediaStream([track])),
    },
  });
  call = mine;
  mine.open();
}

function forget(ended) {
  if (call !== ended) return;
  call = null;
  deafen();
  dom.sound.srcObject = null;
}

function play(stream) {
  dom.sound.srcObject = stream;
  listen("agent", stream);
  sound();
}

function sound() {
  dom.sound.play().then(
    () => dispatch({ type: "page.sound_plays" }),
    // NotAllowedError: no click yet. Any other end of play() is the call's end, which is told elsewhere.
    (error) => error.name === "NotAllowedError" && dispatch({ type: "page.sound_blocked" }),
  );
}

async function list() {
  const query = new URLSearchParams(location.search);
  try {
    listing = await listScenarios(browser.fetch);
    dispatch({ type: "page.listed", ...listing, scenario: query.get("scenario"), agent: query.get("agent") });
  } catch (error) {
    dispatch({ type: "page.failed", problem: error instanceof CallProblem ? error.problem : { kind: "unknown" } });
  }
}

function pick(event) {
  dispatch({ type: "page.picked", ...event });
  const query = new URLSearchParams(location.search);
  query.set("scenario", state.scenario);
  query.set("agent", state.pick);
  history.replaceState(null, "", `?${query}${location.hash}`);
}

function switchTo(agent) {
  const event_id = `switch_${++switches}`;
  dispatch({ type: "page.switching", agent, event_id });
  if (call?.switchTo(agent, event_id)) return;
  dispatch({ type: "error", error: { event_id, message: "Not switched: there is no channel to the server." } });
}

function answer({ answer: given, call: call_id }) {
  const event_id = `answer_${++answers}`;
  dispatch({ type: "page.answered", call_id, event_id });
  if (call?.answer(call_id, given === "approve", event_id)) return;
  dispatch({ type: "error", error: { event_id, message: "Not answered: there is no channel to the server." } });
}

// -- controls -----------------------------------------------------------------------------------------------
const talk = createTalkButton({
  button: dom.talk,
  mayTalk: () => mayTalk(state),
  press: () => call?.press() && dispatch({ type: "page.pressed" }),
  release: (long) => {
    call?.release(long);
    dispatch({ type: "page.let_go" });
  },
  now: () => performance.now(),
});

function detectTurns() {
  talk.letGo();
  const byHand = !state.byHand;
  call?.detectTurns(byHand ? null : state.detection);
}

// -- what people do -----------------------------------------------------------------------------------------
dom.connect.addEventListener("click", async () => {
  if (call) return call.hangUp();
  if (!listing) await list(); // the server was down when the page came
  if (state.scenarios.length && !call) connect();
});
dom.scenario.addEventListener("change", () => pick({ scenario: dom.scenario.value }));
dom["agent-pick"].addEventListener("change", () => {
  const agent = dom["agent-pick"].value;
  if (state.phase === "live") switchTo(agent);
  else pick({ scenario: state.scenario, agent });
});
dom["by-hand"].addEventListener("click", detectTurns);
dom.mute.addEventListener("click", () => call?.mute(!state.controls.muted));
dom.playback.addEventListener("click", () => call?.pause(!state.controls.paused));
dom.hold.addEventListener("click", () => call?.hold(!state.controls.held));
for (const kind of ["pointerdown", "pointerup"]) dom.talk.addEventListener(kind, talk[kind]);
dom.talk.addEventListener("lostpointercapture", talk.pointerup);
dom.talk.addEventListener("contextmenu", (event) => event.preventDefault()); // a long press is one to talk
addEventListener("keydown", talk.keydown);
addEventListener("keyup", talk.keyup);
addEventListener("blur", talk.letGo);
dom.pickers.addEventListener("submit", (event) => event.preventDefault());
dom.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = dom.words.value.trim();
  if (words && call?.say(words)) dom.words.value = "";
});
dom.newest.addEventListener("click", () => toNewest(dom));
dom.transcript.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-answer]");
  if (button && button.ariaDisabled !== "true") answer(button.dataset);
});
// What was opened at the lower edge is brought into sight. `toggle` does not bubble: it is caught on its way down.
dom.transcript.addEventListener("toggle", ({ target }) => target.open && target.scrollIntoView({ block: "nearest" }), true);
dom.scroll.addEventListener("scroll", () => following(dom) && (dom.newest.hidden = true), { passive: true });
addEventListener("pointerdown", () => state.problem?.kind === "sound_blocked" && sound());
addEventListener("keydown", () => state.problem?.kind === "sound_blocked" && sound());
addEventListener("pagehide", () => call?.hangUp("left"));

draw();
list();
