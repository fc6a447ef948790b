// The journal as a table: the whole of it, for whoever wants the evidence or cannot see the lanes.
import { clock } from "./time.js";
import { make } from "./make.js";

/** Fill the section with a table that opens; `play(ms)` plays from a moment. */
export function events(node, entries, { play }) {
  const rows = entries.map(({ at_ms, event, ...fields }) => make("tr", {},
    make("td", {}, make("button", { type: "button", className: "from", "aria-label": `${clock(at_ms)}, play from here`, onclick: () => play(at_ms) }, clock(at_ms))),
    make("th", { scope: "row" }, event),
    make("td", {}, Object.entries(fields).filter(([, value]) => value !== null && value !== "").map(([name, value]) =>
      make("span", { className: "field" }, make("b", {}, `${name} `), typeof value === "string" ? value : JSON.stringify(value))))));
  node.append(make("details", {},
    make("summary", {}, `${entries.length} entries of the journal`),
    make("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": "Events table" }, make("table", { className: "events" },
      make("thead", {}, make("tr", {}, ["At", "Event", "Fields"].map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, rows)))));
}
