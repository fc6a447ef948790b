// The call in words. Each line plays from its beginning by its button, and from any of its words by a click.
import { clock, duration } from "./time.js";
import { momentOf } from "./follow.js";
import { make, pretty } from "./make.js";

const CATEGORIES = { OFFENSIVE: "offensive", OFF_BRAND: "off brand", VIOLENCE: "violence" };

/** How a check reads: `{mark, words}`; only a pass reads as one. */
export function checkWords(check) {
  const category = CATEGORIES[check.category] ?? (check.category && check.category !== "NONE" ? check.category : "");
  return {
    pass: { mark: "✓", words: "checked" },
    fail: { mark: "!", words: category ? `flagged: ${category}` : "flagged" },
    pending: { mark: "…", words: "never judged" },
  }[check.state] ?? { mark: "?", words: "not checked" };
}

/** Fill the list; `play(ms)` plays from a moment. Gives back the lines' elements in order. */
export function transcript(list, run, { play }) {
  const latency = new Map(run.waterfall.map((row) => [row.turn, row]));
  const nodes = run.transcript.map((line, n) => {
    const failed = line.kind === "caller" || line.kind === "noise" ? run.failures.filter((one) => one.turn === line.turn) : [];
    const time = make("button", { type: "button", className: "from", "aria-label": `${clock(line.start_ms)}, play from here`, onclick: () => play(line.start_ms) }, clock(line.start_ms));
    const node = make("li", { id: `line-${n}`, className: `line ${line.kind}${failed.length ? " bad" : ""}` }, time, KINDS[line.kind](line, { play, latency }));
    if (failed.length) node.lastChild.append(make("ul", { className: "failed" }, failed.map((one) => make("li", {}, make("b", { "aria-hidden": "true" }, "✗ "), one.message))));
    return node;
  });
  list.append(...nodes);
  return nodes;
}

const body = (who, ...children) => make("div", { className: "body" }, make("span", { className: "who" }, who), make("div", { className: "said" }, children));
const chips = (...all) => make("p", { className: "chips" }, all);
const chip = (words, kind = "") => make("span", { className: `chip ${kind}` }, words);

const KINDS = {
  caller(line, { play, latency }) {
    const row = latency.get(line.turn);
    const words = line.how === "switch" ? make("p", { className: "text" }, make("em", {}, line.source)) : line.text ? text(line, play) : make("p", { className: "text none" }, "nothing was understood");
    const after = row?.respond_ms ?? null;
    return body("caller", words, chips(
      chip([make("b", {}, line.turn), line.how === "typed" || line.how === "switch" ? ` ${line.how}` : ` ${line.source}`]),
      after === null ? null : chip(`answer heard after ${duration(after)}`),
      row?.stop_ms !== null && row?.stop_ms !== undefined ? chip(`interrupted; silent after ${duration(row.stop_ms)}`, "cut") : null));
  },
  noise: (line) => body("caller", make("p", { className: "text" }, make("em", {}, `noise: ${line.source}`)), chips(chip(make("b", {}, line.turn)))),
  agent(line, { play }) {
    const check = line.check ? checkWords(line.check) : null;
    const words = line.how === "switch" ? make("p", { className: "text" }, make("em", {}, line.source)) : line.text ? text(line, play) : null;
    const never = line.unheard ? make("p", { className: "text unheard" }, make("span", { className: "not" }, "not heard "), make("s", {}, line.unheard)) : null;
    return body(line.agent || "agent", words, never, chips(
      line.unheard && line.total_ms !== null ? chip(`cut: ${duration(line.end_ms - line.start_ms)} of ${duration(line.total_ms)} heard`, "cut") : null,
      check ? chip([make("b", { "aria-hidden": "true" }, check.mark), ` ${check.words}`], line.check.state) : null,
      check && line.check.state !== "pass" && line.check.rationale ? chip(line.check.rationale) : null));
  },
  tool(line) {
    const took = line.output === null ? "never ended" : duration(line.end_ms - line.start_ms);
    return body(line.by ?? "tool", make("details", { className: line.depth ? "nested" : "" },
      make("summary", {}, make("code", {}, line.name), make("code", { className: "arguments" }, line.arguments === "{}" ? "" : line.arguments), make("span", { className: "took" }, took)),
      make("p", {}, "Arguments"), make("pre", {}, pretty(line.arguments)),
      make("p", {}, "Result"), make("pre", {}, line.output === null ? "none: it never ended" : pretty(line.output))));
  },
  handoff: (line) => body("handoff", make("p", { className: "text" }, `${line.from} → `, make("b", {}, line.agent)), chips(line.took_ms ? chip(`took ${duration(line.took_ms)}`) : null)),
  network: (line) => body("network", make("p", { className: "text" }, make("b", {}, `! ${line.event} `), line.text)),
};

function text(line, play) {
  return make("p", { className: "text play", onclick: (event) => { if (getSelection().isCollapsed) play(momentOf(line, offsetAt(event))); } }, line.text);
}

/** The character of a text that was clicked; 0 where the browser cannot tell. */
function offsetAt({ clientX, clientY }) {
  if (document.caretPositionFromPoint) return document.caretPositionFromPoint(clientX, clientY)?.offset ?? 0;
  return document.caretRangeFromPoint?.(clientX, clientY)?.startOffset ?? 0;
}
