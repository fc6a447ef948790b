// The top of the report: the verdict, what failed and where, and the call's figures.
import { clock, duration } from "./time.js";
import { make } from "./make.js";

const percent = (rate) => `${Math.round(rate * 1000) / 10} %`;
const ms = (value) => `${Math.round(value)} ms`;

const FIGURES = [
  ["respond_p50_ms", "Response p50", ms, "Median time from the caller's last word to the agent's first sound, as heard (L_R)"],
  ["respond_p95_ms", "Response p95", ms, "Of 95 % of the turns at most"],
  ["stop_p50_ms", "Stop p50", ms, "Median time until the agent fell silent when interrupted (L_Y)"],
  ["bridge_added_p95_ms", "Bridge p95", ms, "What is neither endpointing nor the model, of 95 % of the turns at most"],
  ["response_rate", "Answered", percent, "Turns that were answered (R_R)"],
  ["yield_rate", "Yielded", percent, "Interruptions that the agent gave way to (R_Y)"],
  ["ignore_rate", "Ignored", percent, "Noises that the agent spoke on over, nothing lost"],
  ["wer", "Word errors", percent, "Of what was understood, against the words of the story (WER)"],
  ["underruns", "Underruns", String, "Frames that came too late to be played"],
  ["protocol_errors", "Protocol errors", String, "Errors that either side was sent, but for benign races"],
];

/** The figures that the call has: `[{name, value, about}]`. */
export function figures(metrics) {
  return FIGURES.filter(([key]) => metrics[key] !== null && metrics[key] !== undefined).map(([key, name, word, about]) => {
    return { name, value: word(metrics[key]), about };
  });
}

/** "Passed", "Failed: 2 expectations". */
export function verdict({ passed, failures }) {
  if (passed) return "Passed";
  return `Failed: ${failures.length} expectation${failures.length === 1 ? "" : "s"}`;
}

/** Fill the header. */
export function top(node, run) {
  const played = `${run.turns_played} of ${run.turns_told} turns`;
  const facts = [run.scenario, played, duration(run.duration_ms), run.road === "wire" ? "over the wire" : "virtual road", run.ended];
  node.append(
    make("div", { className: "name" },
      make("p", { className: `verdict ${run.passed ? "ok" : "bad"}` }, make("b", { "aria-hidden": "true" }, run.passed ? "✓" : "✗"), verdict(run)),
      make("h1", {}, run.story),
      make("ul", { className: "facts", "aria-label": "The run" }, facts.filter(Boolean).map((fact) => make("li", {}, fact)))),
    make("dl", { className: "figures" }, figures(run.metrics).map(({ name, value, about }) =>
      make("div", { title: about }, make("dt", {}, name), make("dd", {}, value)))),
  );
}

/** Fill the section of what failed and the notes; `go(failure, event)` leads to a failure's moment. */
export function failures(node, run, { lineOf, go }) {
  node.hidden = !run.failures.length && !run.notes.length;
  if (!run.failures.length) node.querySelector("h2").textContent = "Notes";
  node.append(make("ul", { className: "failures" }, run.failures.map((failure) => failureView(failure, run, lineOf(failure), go))));
  if (run.notes.length) node.append(make("ul", { className: "notes", "aria-label": "Notes" }, run.notes.map((note) => make("li", {}, note))));
}

function failureView(failure, run, line, go) {
  const where = failure.turn === null ? "the whole call" : `turn “${failure.turn}”`;
  const source = failure.line === null ? null : make("span", { className: "source" }, `${run.file}:${failure.line}`);
  const told = failure.expected === null
    ? make("p", { className: "told" }, failure.message)
    : make("dl", { className: "told" },
        make("dt", {}, "Expected"), make("dd", {}, failure.expected),
        make("dt", {}, "Instead"), make("dd", {}, failure.found));
  const link = failure.at_ms === null
    ? null
    : make("a", { className: "go", href: `#${line}`, onclick: (event) => go(failure, event) }, `Go to ${clock(failure.at_ms)}`);
  return make("li", { className: "failure" },
    make("p", { className: "what" }, make("b", { "aria-hidden": "true" }, "✗"), make("strong", {}, where), make("code", {}, failure.what), source, link),
    told);
}
