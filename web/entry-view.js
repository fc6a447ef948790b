// How one entry of the transcript looks. Each kind is built once and then changed in place, so that opened
// details stay open, focus stays put, and a screen reader is told only of what is new. Text goes in as text.
import { approvalView } from "./approval-view.js";
import { said } from "./entries.js";
import { LATENCY_PARTS } from "./state.js";
import { prettyJson } from "./words.js";

const PART_WORDS = {
  endpoint: "noticing that you finished",
  commit: "taking what you said",
  request: "asking the model",
  tools: "tools and handoffs before it",
  created: "the model's beginning",
  model: "the model's first sound",
  gate: "checking the first sentence",
  playout: "starting to play",
  lead: "silence it begins with",
  wire: "leaving the bridge",
};

/** The view of an entry: `{entry, node, update(entry)}`; `node` is an <li>. */
export function entryView(document, entry) {
  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const node = make("li", { className: `entry ${entry.kind}` });
  node.dataset.role = entry.kind === "message" ? entry.role : entry.kind;
  const update = KINDS[entry.kind](make, node, entry);
  update(entry);
  return { entry, node, update };
}

/** "640 ms", "1.24 s". */
export function duration(ms) {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(2)} s`;
}

const CATEGORIES = { OFFENSIVE: "offensive", OFF_BRAND: "off brand", VIOLENCE: "violence" };

/** How a guardrail's verdict reads: `{mark, words, facts: [[name, text]]}`. Only a pass reads as one. */
export function verdictParts({ state, category, rationale, text, latency_ms }) {
  const kind = CATEGORIES[category] ?? (category && category !== "NONE" ? category : "");
  const [mark, words] = {
    pending: ["…", "checking"],
    pass: ["✓", "checked"],
    fail: ["!", kind ? `flagged: ${kind}` : "flagged"],
  }[state] ?? ["?", "not checked"];
  const facts = [["category", kind || (state === "pass" ? "none" : "")], ["why", rationale], ["text", text]];
  if (latency_ms !== null) facts.push(["took", duration(latency_ms)]);
  return { mark, words, facts: facts.filter(([, told]) => told) };
}

/** What of a message is shown as said and as unheard: `{said, unheard}`. */
export function heardParts(entry) {
  const all = said(entry);
  if (!entry.heard?.unheard_text) return { said: all, unheard: "" };
  return { said: (entry.heard.heard_text ?? "").trimEnd(), unheard: entry.heard.unheard_text.trim() };
}

const KINDS = {
  message(make, node, { item_id, role }) {
    const who = make("span", { className: "who" });
    const words = make("span");
    const unheard = make("s", { className: "unheard", hidden: true });
    const measures = make("span", { className: "measures" });
    const check = verdict(make);
    const facts = make("div", { className: "facts" }, measures, check.node);
    const text = make("p", { className: "text" }, words, " ", unheard);
    node.dataset.item = item_id;
    node.classList.add(role);
    node.append(who, make("div", { className: "body" }, text, facts));
    let last = {};
    return (entry) => {
      const parts = heardParts(entry);
      const silent = !parts.said && !parts.unheard;
      who.textContent = role === "user" ? "You" : entry.agent ?? "Agent";
      if (role === "assistant" && entry.agent) node.dataset.speaker = entry.agent;
      if (entry.heard?.total_ms) node.dataset.heard = parts.unheard ? "part" : "whole";
      node.hidden = silent && entry.done && role === "assistant" && !entry.latency;
      node.setAttribute("aria-busy", String(!entry.done));
      text.classList.toggle("waiting", silent && !entry.done);
      text.classList.toggle("inaudible", silent && entry.done);
      const shown = silent && entry.done ? (role === "user" ? "[inaudible]" : "[no words]") : parts.said;
      if (words.textContent !== shown) words.textContent = shown;
      if (parts.unheard !== last.unheard) {
        last.unheard = parts.unheard;
        const told = make("span", { className: "sr", textContent: " Not heard: " });
        unheard.replaceChildren(...(parts.unheard ? [told, parts.unheard] : []));
        unheard.hidden = !parts.unheard;
      }
      if (entry.latency !== last.latency || entry.heard !== last.heard || entry.interrupted !== last.interrupted) {
        const open = measures.querySelector("details")?.open ?? false;
        last = { ...last, latency: entry.latency, heard: entry.heard, interrupted: entry.interrupted };
        measures.replaceChildren(
          ...(entry.interrupted ? [make("span", { className: "chip", textContent: cut(entry) })] : []),
          ...(entry.latency ? [latency(make, entry.latency, open)] : []),
        );
      }
      if (entry.guardrail !== last.guardrail) {
        last = { ...last, guardrail: entry.guardrail };
        check.show(entry.guardrail);
      }
      facts.hidden = !measures.firstChild && !entry.guardrail;
    };
  },

  tool(make, node, { name, by }) {
    node.dataset.tool = name;
    if (by) node.dataset.by = by;
    const took = make("span", { className: "took" });
    const given = make("pre", { tabIndex: 0 });
    const output = make("pre", { tabIndex: 0 });
    const who = by ? [make("span", { className: "by", textContent: `[${by}] function call:` })] : [];
    const summary = make("summary", {}, ...who, make("code", { textContent: name }), took);
    const heading = (textContent) => make("p", { textContent });
    const result = heading(by ? `[${by}] function call result` : "Result");
    node.append(make("details", {}, summary, heading("Arguments"), given, result, output));
    return (entry) => {
      node.setAttribute("aria-busy", String(!entry.done));
      took.textContent = entry.took_ms !== null ? duration(entry.took_ms) : entry.done ? "no result" : entry.held ? "waiting…" : "running…";
      given.textContent = prettyJson(entry.given);
      output.textContent = entry.output === null ? "" : prettyJson(entry.output);
    };
  },

  approval: approvalView,

  handoff(make, node, { from, to, took_ms }) {
    const arrow = [
      make("span", { textContent: "→", ariaHidden: "true" }),
      make("span", { className: "sr", textContent: " hands over to " }),
    ];
    const title = took_ms === null ? "" : `took ${duration(took_ms)}`;
    node.append(make("p", { title }, make("span", { textContent: from }), ...arrow, make("b", { textContent: to })));
    return () => {};
  },

  notice(make, node, { tone, text }) {
    node.classList.add(tone);
    node.append(make("p", { textContent: text }));
    return () => {};
  },
};

function latency(make, { total, ear, ...parts }, open) {
  const told = LATENCY_PARTS.filter((name) => parts[name] > 0);
  const bar = make("i", { className: "bar", ariaHidden: "true" });
  const list = make("dl");
  for (const name of told) {
    const piece = make("i");
    piece.style.setProperty("flex-grow", String(Math.max(parts[name], 1)));
    bar.append(piece);
    list.append(
      make("dt", { textContent: PART_WORDS[name] }),
      make("dd", { textContent: duration(parts[name]) }),
    );
  }
  if (ear !== null) {
    list.append(
      make("dt", { textContent: "on its way to you (estimated, not counted)" }),
      make("dd", { textContent: duration(ear) }),
    );
  }
  const summary = make("summary", {}, make("span", { textContent: `answered in ${duration(total)}` }), bar);
  return make("details", { className: "chip latency", open }, summary, list);
}

/** The chip of a verdict: built once, so that it stays open and keeps the focus while it changes. */
function verdict(make) {
  const mark = make("i", { className: "mark", ariaHidden: "true" });
  const words = make("span");
  const list = make("dl");
  const node = make("details", { className: "verdict", hidden: true }, make("summary", {}, mark, words), list);
  const show = (guardrail) => {
    node.hidden = !guardrail;
    if (!guardrail) return;
    const parts = verdictParts(guardrail);
    node.dataset.state = guardrail.state;
    mark.textContent = parts.mark;
    words.textContent = parts.words;
    list.replaceChildren(
      ...parts.facts.flatMap(([name, told]) => [make("dt", { textContent: name }), make("dd", { textContent: told })]),
    );
  };
  return { node, show };
}

function cut({ heard }) {
  if (!heard) return "interrupted";
  if (heard.heard_ms === 0) return "interrupted, not heard";
  const seconds = (ms) => (ms / 1000).toFixed(1);
  if (heard.total_ms) return `interrupted, ${seconds(heard.heard_ms)} of ${seconds(heard.total_ms)} s heard`;
  return heard.heard_ms === null ? "interrupted" : `interrupted, ${seconds(heard.heard_ms)} s heard`;
}
