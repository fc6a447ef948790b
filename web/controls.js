// What the caller switches in a call: mute, playback off, hold, and push to talk. Pure: the rules of the state, and the
// button to talk as handlers of events that are given to it. What each control does is the server's (core/controls.py,
// core/push_to_talk.py); what is in force is what the server said last, never what was clicked.

export const NO_CONTROLS = Object.freeze({ muted: false, paused: false, held: false });
export const LEAST_MS = 100; // a press that is shorter is no turn: the server commits no less
const OWN_SPACE = "button, input, textarea, select, summary, a[href], [contenteditable]"; // what the space bar does there stays

/** The turn detection of a session as told: undefined where the event does not tell, null for push to talk. */
const detectionOf = ({ session }) => session?.audio?.input?.turn_detection;

/** Take what the session says of turn detection; the last that found turns is kept, to go back to. */
export function withDetection(state, event) {
  const detection = detectionOf(event);
  if (detection === undefined) return state;
  if (detection === null) return { ...state, byHand: true };
  return { ...state, byHand: false, pressed: false, detection };
}

export const CONTROL_RULES = {
  "session.updated": withDetection,
  "rtbridge.controls.changed": (state, { muted, paused, held }) => ({
    ...state, controls: { muted: muted === true, paused: paused === true, held: held === true },
  }),
  "page.pressed": (state) => (mayTalk(state) ? { ...state, pressed: true } : state),
  "page.let_go": (state) => (state.pressed ? { ...state, pressed: false } : state),
};

/** Whether pressing the button would begin a turn. */
export function mayTalk(state) {
  return state.phase === "live" && state.byHand && !state.controls.held;
}

/** What the state line says of the controls: `{name?, words?, hint?}`, laid over what it says of the turn. */
export function controlLine({ turn, byHand, pressed, controls }) {
  if (controls.held) return { name: "held", words: "On hold", hint: "Neither of you is heard" };
  if (pressed) return { name: "caller_speaking", words: "You are speaking", hint: controls.muted ? "But you are muted" : "Let go when done" };
  if (controls.paused && turn === "agent_speaking") return { words: "Agent paused", hint: "Playback is off; you may talk" };
  if (controls.paused) return { hint: "Playback is off; you may talk" };
  if (controls.muted) return { hint: "Your microphone is muted" };
  if (byHand && turn === "listening") return { hint: "Hold the button or the space bar" };
  if (byHand && turn === "caller_speaking") return { hint: "Taking in your last words" };
  if (byHand && turn === "agent_speaking") return { hint: "Press to interrupt" };
  return {};
}

/**
 * The button to talk: handlers for the events of pointer, keys and window. `mayTalk()` tells whether a press counts,
 * `press()` and `release(long)` do it; `now()` is in ms. A press ends once, whatever ends it.
 */
export function createTalkButton({ button, mayTalk, press, release, now }) {
  let since = null;
  let by = null; // pointer | key
  const down = (how) => {
    if (since !== null || !mayTalk()) return;
    [since, by] = [now(), how];
    press();
  };
  const up = (how) => {
    if (since === null || (how !== null && how !== by)) return;
    const long = now() - since >= LEAST_MS;
    since = by = null;
    release(long);
  };
  const isKey = ({ key, target }) => {
    if (target === button) return key === " " || key === "Enter";
    return key === " " && !target?.closest?.(OWN_SPACE);
  };
  return {
    pointerdown(event) {
      if (event.button !== 0) return;
      button.setPointerCapture?.(event.pointerId); // a finger that slides off still lets go here
      down("pointer");
    },
    pointerup: () => up("pointer"),
    keydown(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || !isKey(event) || !mayTalk()) return;
      event.preventDefault(); // the space bar would scroll, or click
      if (!event.repeat) down("key");
    },
    keyup({ key }) {
      if (key === " " || key === "Enter") up("key");
    },
    /** Let go for whoever cannot any more: the window lost its focus, the call its channel. */
    letGo: () => up(null),
  };
}
