import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { keyAction, lineAt, momentOf, neighbour } from "./follow.js";
import { gravest, groups, mostZoom, rows, scrollFor, unheardSpans, withWords } from "./layout.js";
import { pretty } from "./make.js";
import { bytes } from "./player.js";
import { clock, duration, spoken, ticks } from "./time.js";
import { figures, verdict } from "./top-view.js";
import { checkWords } from "./transcript-view.js";
import { bars, kept, told, waterfallScale } from "./waterfall.js";
import { loudest, outline, peaks } from "./wave.js";

const here = new URL("./", import.meta.url);
const scripts = readdirSync(here).filter((name) => name.endsWith(".js") && !name.endsWith(".test.js"));
const source = (name) => readFileSync(new URL(name, here), "utf8");
const span = (start_ms, end_ms, more = {}) => ({ start_ms, end_ms, ...more });

test("no string ever becomes HTML or code, and nothing is fetched", () => {
  const banned = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|\beval\(|new Function|\bfetch\(|XMLHttpRequest|WebSocket|import\(/;
  for (const name of scripts) assert.doesNotMatch(source(name), banned, name);
  for (const name of ["report.css", "index.css", "report.html"]) assert.doesNotMatch(source(name), /url\(|@import|\bsrc=|<link|\son\w+=|\sstyle=/, name);
});

test("put together the modules are one script: no name is declared twice, none ends the element it stands in", () => {
  const names = scripts.flatMap((name) => [...source(name).matchAll(/^(?:export )?(?:async )?(?:const|let|function|class) (\w+)/gm)].map(([, one]) => one));
  assert.deepEqual(names.filter((name, n) => names.indexOf(name) !== n), []);
  for (const name of scripts) {
    assert.doesNotMatch(source(name), /<\/script|<!--|@@/i, name);
    for (const [line] of source(name).matchAll(/^import .*$/gm)) assert.match(line, /^import \{[^}]*\} from "\.\/[\w-]+\.js";$/, name);
  }
});

test("every element that the script looks for is in the page", () => {
  const ids = new Set([...source("report.html").matchAll(/\sid="([\w-]+)"/g)].map(([, id]) => id));
  for (const own of ["hover", "playhead"]) ids.add(own); // made by lanes-view.js
  for (const [, id] of source("main.js").matchAll(/\$\("([\w-]+)"\)/g)) assert.ok(ids.has(id), id);
});

test("times read well, to the eye and to the ear", () => {
  assert.deepEqual([clock(0), clock(5479.5), clock(59_999), clock(612_340)], ["0:00.0", "0:05.4", "0:59.9", "10:12.3"]);
  assert.deepEqual([duration(0), duration(640.4), duration(1240), duration(132_000)], ["0 ms", "640 ms", "1.24 s", "2 min 12 s"]);
  assert.deepEqual([spoken(1000), spoken(5479), spoken(64_500)], ["1 second", "5.4 seconds", "1 minute 4.5 seconds"]);
});

test("a ruler's marks are round and never nearer than they may be", () => {
  assert.deepEqual(ticks(20_000, 400).map(({ label }) => label), ["0:00", "0:05", "0:10", "0:15"]);
  assert.deepEqual(ticks(400, 400).map(({ label }) => label), ["0:00.00", "0:00.10", "0:00.20", "0:00.30"]);
  for (const width of [200, 390, 1280, 40_000]) {
    const marks = ticks(180_000, width);
    assert.ok(((marks[1].ms - marks[0].ms) / 180_000) * width >= 64, String(width));
  }
  assert.deepEqual(ticks(0, 400), []);
});

test("a waveform keeps every peak at every width", () => {
  const side = peaks(btoa(String.fromCharCode(0, 0, 256 - 100, 90, 0, 0, 256 - 10, 10)));
  assert.deepEqual([...side], [0, 0, -100, 90, 0, 0, -10, 10]);
  assert.equal(loudest(side, new Int8Array([3])), 100);
  assert.equal(loudest(new Int8Array([1])), 8);
  const shape = { every_ms: 5, duration_ms: 20, scale: 100 };
  assert.equal(outline(side, 4, shape), "M0 0L1 -0.9L2 0L3 -0.1L3 0.1L2 0L1 1L0 0Z");
  assert.equal(outline(side, 2, shape), "M0 -0.9L1 -0.1L1 0.1L0 1Z");
  assert.equal(outline(side, 1, shape), "M0 -0.9L0 1Z");
  // The last peak stands for half its time only: what lies before it is where it was.
  assert.match(outline(side, 7, { ...shape, duration_ms: 17.5 }), /^M0 0L1 0L2 -0.9L3 -0.9L4 0L5 0L6 -0.1/);
});

test("no span of a lane covers another", () => {
  assert.deepEqual(rows([span(0, 100), span(50, 150), span(100, 200), span(120, 130)]), [0, 1, 0, 2]);
  assert.deepEqual(rows([span(0, 100), span(60, 150)], 40), [0, 0]);
  assert.deepEqual(rows([span(80, 100), span(0, 90), span(0, 80)]), [0, 1, 0]);
});

test("words that would run out of the picture stand to the left of their moment", () => {
  const wide = withWords([span(0, 0), span(900, 900), span(400, 990)], () => 200, { width: 1000, duration_ms: 1000 });
  assert.deepEqual(wide, [
    { start_ms: 0, end_ms: 200, left: false },
    { start_ms: 700, end_ms: 900, left: true },
    { start_ms: 400, end_ms: 990, left: false },
  ]);
});

test("checks too near to tell apart are one mark, and it bears the gravest verdict", () => {
  const found = groups([span(0, 0, { state: "pass" }), span(10, 40, { state: "fail" }), span(500, 500, { state: "pass" })], 100);
  assert.deepEqual(found.map(({ start_ms, end_ms, spans }) => [start_ms, end_ms, spans.length]), [[0, 40, 2], [500, 500, 1]]);
  assert.deepEqual(found.map(({ spans }) => gravest(spans)), ["fail", "pass"]);
});

test("what was never heard is drawn where it would have been, up to what came instead", () => {
  const items = [span(0, 1000, { unheard: "tale", total_ms: 5000 }), span(3000, 4000, { unheard: "" }), span(4000, 4000, { unheard: "gone", total_ms: null })];
  assert.deepEqual(unheardSpans(items, 9000).map(({ start_ms, end_ms }) => [start_ms, end_ms]), [[1000, 3000], [4000, 4000]]);
});

test("one can look into a call, never past the whole of it, and what one looks at stays in place", () => {
  assert.equal(mostZoom(60_000, 1000), 12);
  assert.equal(mostZoom(1000, 1000), 1);
  assert.equal(scrollFor(30_000, 500, 12_000, 60_000), 5500);
  assert.equal(scrollFor(1000, 500, 12_000, 60_000), 0);
});

test("the parts of a latency stand end to end, and lateness is told by the recording", () => {
  const turn = { respond_ms: 650, limit_ms: 600, parts: { endpoint_ms: 500, request_ms: 10, model_ms: 40, playout_ms: null } };
  assert.equal(told(turn), 550);
  assert.deepEqual(bars(turn, 1000).map(({ name, left, width }) => [name, left, width]), [["endpointing", 0, 50], ["request", 50, 1], ["model", 51, 4]]);
  assert.deepEqual([kept(turn), kept({ ...turn, limit_ms: 700 }), kept({ ...turn, limit_ms: null }), kept({ respond_ms: null, limit_ms: 5 })], ["late", "ok", "", "late"]);
  const { most, marks } = waterfallScale([turn, { respond_ms: null, limit_ms: null, parts: null }]);
  assert.ok(most > 650 && marks.at(-1) <= most && marks[0] === 0);
  assert.deepEqual(bars({ parts: null }, 100), []);
});

test("the line that sounds is the one being played", () => {
  const lines = [span(0, 1000), span(1500, 4000), span(1600, 1600), span(5000, 6000)];
  assert.deepEqual([-1, 0, 1200, 1700, 4500, 5500].map((ms) => lineAt(lines, ms)), [-1, 0, 0, 1, 2, 3]);
});

test("a click on a word plays from that word", () => {
  const line = span(1000, 2000, { text: "one two\nthree" });
  assert.deepEqual([0, 2, 4, 6, 13].map((offset) => Math.round(momentOf(line, offset))), [1000, 1000, 1308, 1308, 1615]);
  assert.equal(momentOf(span(7, 9, { text: "" }), 3), 7);
});

test("next and previous turn", () => {
  const times = [1000, 5000, 9000];
  assert.deepEqual([neighbour(times, 0, true), neighbour(times, 1000, true), neighbour(times, 9000, true)], [1000, 5000, null]);
  assert.deepEqual([neighbour(times, 9200, false), neighbour(times, 9600, false), neighbour(times, 0, false)], [5000, 9000, 1000]);
});

test("keys do what they are said to and leave the rest to the page", () => {
  assert.deepEqual(keyAction({ key: " " }, "page"), { do: "toggle" });
  assert.equal(keyAction({ key: " " }, "button"), null);
  assert.deepEqual(keyAction({ key: "ArrowRight" }, "button"), { do: "seek", by_ms: 1000 });
  assert.deepEqual(keyAction({ key: "ArrowLeft", shiftKey: true }, "slider"), { do: "seek", by_ms: -5000 });
  assert.equal(keyAction({ key: "Home" }, "page"), null);
  assert.equal(keyAction({ key: "Home" }, "slider").do, "start");
  assert.equal(keyAction({ key: "-", ctrlKey: true }, "page"), null);
  assert.equal(keyAction({ key: "n" }, "text"), null);
  assert.equal(keyAction({ key: "x" }, "page"), null);
});

test("the verdict and the figures say what there is, and nothing of what there is not", () => {
  assert.equal(verdict({ passed: true, failures: [] }), "Passed");
  assert.equal(verdict({ passed: false, failures: [1] }), "Failed: 1 expectation");
  assert.equal(verdict({ passed: false, failures: [1, 2] }), "Failed: 2 expectations");
  const told = figures({ respond_p50_ms: 643.2, stop_p50_ms: null, response_rate: 0.9167, underruns: 0 });
  assert.deepEqual(told.map(({ name, value }) => [name, value]), [["Response p50", "643 ms"], ["Answered", "91.7 %"], ["Underruns", "0"]]);
});

test("only a pass reads as one", () => {
  assert.deepEqual(checkWords({ state: "pass", category: "NONE" }), { mark: "✓", words: "checked" });
  assert.equal(checkWords({ state: "fail", category: "OFF_BRAND" }).words, "flagged: off brand");
  assert.equal(checkWords({ state: "fail", category: "my_own" }).words, "flagged: my_own");
  assert.equal(checkWords({ state: "unchecked" }).words, "not checked");
  assert.equal(checkWords({ state: "pending" }).words, "never judged");
  assert.equal(checkWords({ state: "new to us" }).words, "not checked");
});

test("JSON is made readable and other text is left alone", () => {
  assert.equal(pretty('{"a":1}'), '{\n  "a": 1\n}');
  assert.equal(pretty("no {json"), "no {json");
  assert.deepEqual([...bytes(btoa("\xffA"))], [255, 65]);
});
