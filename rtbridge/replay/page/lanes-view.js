// The time line: a ruler, the waveforms of both sides, and the lanes below them, drawn anew at every zoom. It is a
// picture: what it shows is told in words by the transcript and the table of events.
import { clock, duration, ticks } from "./time.js";
import { outline } from "./wave.js";
import { gravest, groups, rows, unheardSpans, withWords } from "./layout.js";
import { make, svg } from "./make.js";

const ROW_PX = 24;
const LETTER_PX = 7;
const NARROW_PX = 34; // a block in which no word would fit
const SLACK_MS = 60; // items follow each other with their ends rounded to frames
const STATES = {
  caller_speaking: "caller speaks",
  agent_speaking: "agent speaks",
  thinking: "thinking",
  deciding: "deciding",
  listening: "",
};
const MARKS = { pass: "✓", fail: "!", unchecked: "?", pending: "…" };

/** Draw the lanes of `run` at `width` px into `sheet`; `sides` are the peaks, `scale` their largest. */
export function drawLanes(sheet, run, { width, sides, scale }) {
  const { duration_ms, lanes } = run;
  const msPerPx = duration_ms / width;
  const failed = new Set(run.failures.map((failure) => failure.turn));
  const place = (node, start_ms, end_ms = start_ms) => {
    node.style.left = `${(start_ms / duration_ms) * 100}%`;
    if (end_ms > start_ms) node.style.width = `${((end_ms - start_ms) / duration_ms) * 100}%`;
    return node;
  };
  const fits = ({ start_ms, end_ms }) => end_ms === start_ms || (end_ms - start_ms) / msPerPx > NARROW_PX;
  const block = (kind, span, words, about) =>
    place(make("div", { className: `block ${kind}`, title: about }, make("span", {}, fits(span) ? words : null)), span.start_ms, span.end_ms);
  // A moment or a span with its words in it or beside it, so that they can be read however short it is.
  const mark = (kind, span, words, about, left) => {
    const bar = make("i");
    bar.style.width = `${(span.end_ms - span.start_ms) / msPerPx}px`;
    const node = place(make("div", { className: `mark ${kind}${left ? " left" : ""}`, title: about }, bar, make("span", {}, words)), span.start_ms);
    node.dataset.at = span.start_ms;
    return node;
  };
  const lane = (name, ...tracks) =>
    make("div", { className: "lane" }, make("div", { className: "label" }, make("span", {}, name)), make("div", { className: "tracks" }, tracks));
  const track = (kind, nodes, height) => {
    const node = make("div", { className: `track ${kind}` }, nodes);
    if (height) node.style.height = `${height}px`;
    return node;
  };
  const stacked = (kind, drawn) => {
    const least = Math.max(1, ...drawn.map(({ row }) => row + 1));
    for (const { node, row } of drawn) node.style.top = `${row * ROW_PX}px`;
    return track(kind, drawn.map(({ node }) => node), least * ROW_PX);
  };
  const wave = (kind, side) => {
    const columns = Math.max(1, Math.min(Math.round(width), side.length / 2));
    const path = svg("path", { d: outline(side, columns, { every_ms: run.peaks.every_ms, duration_ms, scale }) });
    return track(`wave ${kind}`, [svg("svg", { viewBox: `0 -1 ${columns} 2`, preserveAspectRatio: "none" }, path)]);
  };
  const wordy = (spans, text) => {
    const wide = withWords(spans, (span) => text(span).length * LETTER_PX + 26, { width, duration_ms });
    return rows(wide).map((row, n) => ({ row, left: wide[n].left }));
  };

  const ruler = track("ruler", ticks(duration_ms, width).map(({ ms, label }) => place(make("i", {}, label), ms)));
  const typed_px = (span) => (span.end_ms > span.start_ms ? 0 : `${span.turn} ${span.text}`.length * LETTER_PX + 26);
  const saidWide = withWords(lanes.caller, typed_px, { width, duration_ms });
  const saidRows = rows(saidWide);
  const said = lanes.caller.map((span, n) => {
    const words = span.kind === "noise" ? `noise: ${span.source}` : span.text || span.source;
    const bad = failed.has(span.turn);
    const node = block(`caller ${span.kind}${bad ? " bad" : ""}${saidWide[n].left ? " left" : ""}`, span, [make("b", {}, `${bad ? "✗ " : ""}${span.turn}`), ` ${words}`], `${span.turn}: ${words}`);
    return { node, row: saidRows[n] };
  });

  const itemRows = rows(lanes.agent, SLACK_MS);
  const items = lanes.agent.map((item, n) => {
    const about = `${item.agent}: ${item.text}${item.unheard ? ` [not heard: ${item.unheard}]` : ""}`;
    return item.text ? { node: block("agent", item, item.text, about), row: itemRows[n] } : null;
  });
  const unheard = unheardSpans(lanes.agent, duration_ms).map((span) => {
    const node = block("unheard", span, make("s", {}, span.item.unheard), `Not heard: ${span.item.unheard}`);
    return { node, row: itemRows[lanes.agent.indexOf(span.item)] };
  });

  const name = (tool) => `${tool.name}${tool.end_ms > tool.start_ms ? ` ${duration(tool.end_ms - tool.start_ms)}` : ""}`;
  const tools = [];
  let below = 0;
  for (const depth of [0, 1]) {
    const some = lanes.tools.filter((tool) => tool.depth === depth);
    const taken = wordy(some, (tool) => `${tool.by ? `${tool.by} ` : ""}${name(tool)}`);
    some.forEach((tool, n) => {
      const words = [tool.by ? make("em", {}, `${tool.by} `) : null, name(tool)];
      const about = `${tool.by ? `${tool.by}: ` : ""}${tool.name}(${tool.arguments}) → ${tool.output ?? "no result"}`;
      tools.push({ node: mark(depth ? "tool nested" : "tool", tool, words, about, taken[n].left), row: below + taken[n].row });
    });
    below += Math.max(0, ...taken.map(({ row }) => row + 1));
  }

  const checks = groups(lanes.guardrail, 34 * msPerPx).map((group) => {
    const state = gravest(group.spans);
    const count = group.spans.length > 1 ? ` ${group.spans.length}` : "";
    const about = group.spans.map((span) => `${span.who}: ${span.state}${span.category && span.category !== "NONE" ? ` ${span.category}` : ""} “${span.text ?? ""}”`).join("\n");
    const flag = place(make("div", { className: `flag ${state}${group.start_ms + 40 * msPerPx > duration_ms ? " left" : ""}`, title: about }, `${MARKS[state]}${count}`), group.start_ms);
    const pending = group.end_ms > group.start_ms ? place(make("div", { className: "pending" }), group.start_ms, group.end_ms) : null;
    return [pending, flag];
  });
  const charge = lanes.charge.map((span, n) => {
    const words = [span.from ? make("b", {}, "→ ") : null, span.agent];
    return block(`charge ${n % 2 ? "odd" : ""}`, span, words, span.from ? `${span.from} handed over to ${span.agent} at ${clock(span.start_ms)}` : `${span.agent} answers`);
  });
  const states = lanes.turns.map((span) => block(`state ${span.state}`, span, STATES[span.state] ?? span.state, `${span.state}${span.cause ? `, since ${span.cause}` : ""}`));
  const network = wordy(lanes.network, (span) => `${span.event} ${span.text}`);
  const legs = lanes.network.map((span, n) => {
    const words = [make("b", {}, `${span.trouble ? "! " : ""}${span.event}`), ` ${span.text}`];
    return { node: mark(`leg${span.trouble ? " bad" : ""}`, span, words, `${span.event}: ${span.text}`, network[n].left), row: network[n].row };
  });
  const none = (drawn, words) => (drawn.length ? null : track("", [make("span", { className: "none" }, words)], ROW_PX));

  sheet.style.setProperty("--px", `${width}px`);
  sheet.replaceChildren(
    lane("", ruler),
    lane("Caller", wave("caller", sides.caller), stacked("words", said)),
    lane("Agent", wave("agent", sides.agent), stacked("words", [...items, ...unheard].filter(Boolean))),
    lane("Turn", track("band", states, ROW_PX - 4)),
    lane("Tools", none(tools, "no tool was called") ?? stacked("", tools)),
    lane("Guardrail", none(checks, "nothing was checked") ?? track("", checks.flat().filter(Boolean), ROW_PX)),
    lane("Handoffs", track("band", charge, ROW_PX - 2)),
    lane("Network", none(legs, "nothing to tell") ?? stacked("", legs)),
    make("div", { className: "over" }, make("div", { id: "hover" }), make("div", { id: "playhead" })),
  );
}

