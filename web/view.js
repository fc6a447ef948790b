// The page as a function of the state: `mount(document)` finds the elements once, `render(state, dom)` brings them
// up to date. It changes only what changed (state is immutable, so `===` tells), decides nothing, and writes text
// as text: no string ever becomes HTML. How one entry of the transcript looks is in entry-view.js.
import { renderControls } from "./controls-view.js";
import { entryView } from "./entry-view.js";
import { picked, pickedAgent, stateLine } from "./state.js";

export { initial, reduce } from "./state.js";

const NEAR_PX = 96; // a reader this close to the end is following it

/** Find the page's elements. */
export function mount(document) {
  const names = [
    "demo", "pickers", "scenario", "agent-pick", "agent-label", "stage", "orb", "state", "agent", "mic-level", "agent-level",
    "controls", "talk", "by-hand", "mute", "playback", "hold", "connect", "problem", "scroll", "empty", "dropped", "transcript", "newest", "composer", "words", "send", "sound",
  ];
  const dom = { document, views: new Map(), shown: null };
  for (const name of names) dom[name] = document.getElementById(name);
  return dom;
}

/** Make the page show `state`. Cheap when little changed; keeps focus, open details and the reader's place. */
export function render(state, dom) {
  const before = dom.shown;
  if (before === state) return;
  dom.shown = state;
  const changed = (...fields) => !before || fields.some((field) => before[field] !== state[field]);
  const line = stateLine(state);
  const inCall = state.phase === "connecting" || state.phase === "live";

  set(dom.state, "data-state", line.name);
  texts(dom.state, line.words, line.hint);
  set(dom.stage, "data-phase", line.name);
  set(dom.agent, "data-agent", state.agent ?? "");
  text(dom.agent, state.agent ?? "");
  dom.demo.hidden = !state.demo;

  if (changed("scenarios", "scenario", "pick", "phase", "agent", "switching")) options(state, dom);
  // What a person has picked is on the page before it is in the state, and may be refused before it was drawn.
  const agent = pickedAgent(state);
  if (agent !== null && dom["agent-pick"].value !== agent) dom["agent-pick"].value = agent;
  dom.scenario.disabled = inCall || !state.scenarios.length;
  dom["agent-pick"].disabled = state.phase === "connecting" || !state.scenarios.length;
  text(dom["agent-label"], state.phase === "live" ? "Talk to" : "Start with");

  text(dom.connect, state.phase === "connecting" ? "Cancel" : state.phase === "live" ? "Disconnect" : "Connect");
  dom.connect.className = inCall ? "quiet" : "primary";
  dom.connect.disabled = state.phase === "loading";

  if (changed("phase", "byHand", "pressed", "controls")) renderControls(state, dom);

  const typing = state.phase === "live";
  // A disabled field loses the focus to nowhere; give it to what the person needs next.
  if (!typing && dom.composer.contains(dom.document.activeElement)) dom.connect.focus();
  dom.words.disabled = dom.send.disabled = !typing;
  dom.words.placeholder = typing ? "Or type here" : "Connect to talk or type";

  dom.problem.hidden = !state.problem;
  texts(dom.problem, state.problem?.title ?? "", state.problem?.advice ?? "");

  if (changed("entries", "phase", "scenarios", "scenario")) empty(state, dom);
  if (changed("entries")) transcript(state, dom);
}

/** Whether the reader is following the end of the transcript. */
export function following({ scroll }) {
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_PX;
}

/** Go to the end of the transcript. */
export function toNewest(dom) {
  dom.scroll.scrollTop = dom.scroll.scrollHeight;
  dom.newest.hidden = true;
}

function transcript(state, dom) {
  const follow = following(dom);
  const list = dom.transcript;
  const kept = new Set();
  let next = list.firstElementChild;
  for (const entry of state.entries) {
    kept.add(entry.key);
    let view = dom.views.get(entry.key);
    if (!view) {
      view = entryView(dom.document, entry);
      dom.views.set(entry.key, view);
    } else if (view.entry !== entry) {
      view.entry = entry;
      view.update(entry);
    }
    if (view.node === next) next = next.nextElementSibling;
    else list.insertBefore(view.node, next);
  }
  for (const [key, view] of dom.views) {
    if (kept.has(key)) continue;
    view.node.remove();
    dom.views.delete(key);
  }
  dom.dropped.hidden = !state.dropped;
  text(dom.dropped, state.dropped ? `${state.dropped} earlier entries are no longer shown` : "");
  if (follow) toNewest(dom);
  else dom.newest.hidden = state.entries.length === 0;
}

function empty(state, dom) {
  const box = dom.empty;
  box.hidden = state.entries.length > 0 || state.phase === "loading";
  if (box.hidden) return;
  const [title, advice, people] = box.children;
  const inCall = state.phase === "connecting" || state.phase === "live";
  const scenario = picked(state);
  text(title, inCall ? "The agent will greet you" : scenario?.title ?? "Nobody to call yet");
  text(advice, inCall ? "Say hello whenever you like." : scenario ? "Click Connect and say hello." : "");
  people.replaceChildren();
  for (const { name, description } of inCall ? [] : scenario?.agents ?? []) {
    const row = dom.document.createElement("div");
    for (const [tag, words] of [["dt", name], ["dd", description ?? ""]]) {
      row.append(Object.assign(dom.document.createElement(tag), { textContent: words }));
    }
    people.append(row);
  }
}

function options(state, dom) {
  const fill = (select, choices, value) => {
    const made = choices.map(([id, words]) =>
      Object.assign(dom.document.createElement("option"), { value: id, textContent: words }),
    );
    select.replaceChildren(...made);
    if (value !== null) select.value = value;
  };
  fill(dom.scenario, state.scenarios.map(({ id, title }) => [id, title || id]), state.scenario);
  fill(dom["agent-pick"], (picked(state)?.agents ?? []).map(({ name }) => [name, name]), pickedAgent(state));
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function text(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function texts(element, ...words) {
  words.forEach((one, at) => text(element.children[at], one));
}
