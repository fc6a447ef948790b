// The waterfall as a table: every figure stands in a cell, the bars are their picture.
import { clock } from "./time.js";
import { bars, kept, PARTS, told, waterfallScale } from "./waterfall.js";
import { make } from "./make.js";

/** Fill the section; `play(ms)` plays from a moment. */
export function waterfall(node, turns, { play }) {
  if (!turns.length) return node.append(make("p", { className: "none" }, "No turn was played."));
  const { most, marks } = waterfallScale(turns);
  const axis = make("div", { className: "axis", "aria-hidden": "true" }, marks.map((ms) => at(make("i", {}, String(ms)), ms, most)));
  const head = ["Turn", "Heard after", ...PARTS.map(([, name]) => name), "Stop"];
  const headCells = head.map((name) => make("th", { scope: "col" }, name));
  headCells.splice(2, 0, make("th", { scope: "col", className: "bars" }, make("span", { className: "aside" }, "Drawn, in ms"), axis));
  node.append(
    make("p", { className: "hint" },
      "From the caller's last word in the recording. ",
      make("span", { className: "key" }, PARTS.map(([key, name, about]) => make("span", { title: about }, make("i", { className: `part ${key}` }), name))),
      make("span", { className: "key" }, make("span", {}, make("i", { className: "heard" }), "first sound heard in the recording"), make("span", {}, make("i", { className: "limit" }), "limit"))),
    make("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": "Latency table" },
      make("table", { className: "waterfall" }, make("thead", {}, make("tr", {}, headCells)), make("tbody", {}, turns.map((turn) => row(turn, most, marks, play))))),
  );
}

function row(turn, most, marks, play) {
  const state = kept(turn);
  const words = turn.respond_ms === null ? "never" : `${Math.round(turn.respond_ms)} ms`;
  const lines = marks.map((ms) => at(make("i", { className: "grid" }), ms, most));
  const parts = bars(turn, most).map(({ key, name, ms, left, width }) => {
    const part = make("i", { className: `part ${key}`, title: `${name} ${ms} ms` });
    part.style.left = `${left}%`;
    part.style.width = `${width}%`;
    return part;
  });
  const heard = turn.respond_ms === null ? null : at(make("i", { className: "heard", title: `heard after ${words}` }), turn.respond_ms, most);
  const end = told(turn);
  const quiet = heard && end !== null && turn.respond_ms > end ? at(make("i", { className: "quiet" }), end, most) : null;
  if (quiet) quiet.style.width = `${((turn.respond_ms - end) / most) * 100}%`;
  const limit = turn.limit_ms === null ? null : at(make("i", { className: "limit", title: `limit ${turn.limit_ms} ms` }), turn.limit_ms, most);
  const cell = (ms) => make("td", { className: "number" }, ms === null || ms === undefined ? make("span", { className: "none" }, "–") : `${Math.round(ms)}`);
  return make("tr", {},
    make("th", { scope: "row" }, make("button", { type: "button", className: "from", "aria-label": `${turn.turn}: play the answer, from ${clock(turn.at_ms)}`, onclick: () => play(turn.at_ms) }, turn.turn)),
    make("td", { className: "number" }, make("b", { className: state }, words), state === "late" ? make("span", { className: "late" }, ` over ${turn.limit_ms} ms`) : null),
    make("td", { className: "bars" }, make("div", { className: "bar", "aria-hidden": "true" }, lines, parts, quiet, limit, heard)),
    PARTS.map(([key]) => cell(turn.parts?.[key])),
    cell(turn.stop_ms));
}

function at(node, ms, most) {
  node.style.left = `${(ms / most) * 100}%`;
  return node;
}
