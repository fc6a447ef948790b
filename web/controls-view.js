// The controls of a call on the page: four switches and the button to talk, shown as the server says they stand.
import { mayTalk } from "./controls.js";

/** Bring the controls up to date. Who switches push to talk on is led to its button, and back when it goes. */
export function renderControls(state, dom) {
  const live = state.phase === "live";
  if (!live && dom.controls.contains(dom.document.activeElement)) dom.connect.focus();
  dom.controls.hidden = !live;
  press(dom["by-hand"], state.byHand);
  press(dom.mute, state.controls.muted);
  press(dom.playback, state.controls.paused);
  press(dom.hold, state.controls.held);
  const appears = state.byHand && dom.talk.hidden;
  if (!state.byHand && dom.document.activeElement === dom.talk) dom["by-hand"].focus();
  dom.talk.hidden = !state.byHand;
  dom.talk.disabled = !mayTalk(state);
  press(dom.talk, state.pressed);
  if (appears && dom.document.activeElement === dom["by-hand"]) dom.talk.focus();
  const words = state.pressed ? "Listening to you" : "Hold to talk";
  if (dom.talk.firstElementChild.textContent !== words) dom.talk.firstElementChild.textContent = words;
}

function press(button, on) {
  const value = String(on);
  if (button.getAttribute("aria-pressed") !== value) button.setAttribute("aria-pressed", value);
}
