import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { duration, entryView, heardParts, verdictParts } from "./entry-view.js";
import { loudness } from "./level.js";

const here = new URL("./", import.meta.url);
const files = readdirSync(here).filter((name) => !name.endsWith(".test.js"));
const source = (name) => readFileSync(new URL(name, here), "utf8");

test("no string ever becomes HTML or code", () => {
  const banned = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|\beval\(|new Function/;
  for (const name of files.filter((one) => one.endsWith(".js"))) assert.doesNotMatch(source(name), banned, name);
});

test("the page brings no inline script or style and asks nothing of other hosts", () => {
  const page = source("index.html");
  assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/i);
  for (const name of files.filter((one) => /\.(html|css|js)$/.test(one))) {
    assert.doesNotMatch(source(name), /(src|href)="(https?:)?\/\/|url\(|@import|from "https?:/, name);
  }
});

test("every element that the view looks for is in the page", () => {
  const ids = new Set([...source("index.html").matchAll(/\sid="([\w-]+)"/g)].map(([, id]) => id));
  const [, names] = /const names = \[([^\]]+)\]/.exec(source("view.js"));
  for (const [, name] of names.matchAll(/"([\w-]+)"/g)) assert.ok(ids.has(name), name);
});

test("an interrupted answer is shown as what was heard and what was not", () => {
  const parts = ["One two three"];
  assert.deepEqual(heardParts({ parts, heard: null }), { said: "One two three", unheard: "" });
  const heard = { heard_text: "One ", unheard_text: " two three" };
  assert.deepEqual(heardParts({ parts, heard }), { said: "One", unheard: "two three" });
  assert.deepEqual(heardParts({ parts, heard: { heard_text: "", unheard_text: "" } }).said, "One two three");
});

test("durations read well", () => {
  assert.deepEqual([duration(0), duration(640), duration(1240)], ["0 ms", "640 ms", "1.24 s"]);
});

test("loudness runs from silence to full", () => {
  assert.equal(loudness(new Float32Array(1024)), 0);
  assert.equal(loudness(new Float32Array(1024).fill(0.5)), 1);
  const quiet = loudness(new Float32Array(1024).fill(0.01));
  assert.ok(quiet > 0.2 && quiet < 0.6);
});

test("only a pass reads as one, and each state has words and a mark of its own", () => {
  const read = (state, more = {}) => verdictParts({ state, category: "", rationale: "", text: "", latency_ms: null, ...more });
  const states = ["pending", "pass", "fail", "unchecked"].map((state) => read(state));
  assert.deepEqual(states.map(({ words }) => words), ["checking", "checked", "flagged", "not checked"]);
  assert.equal(new Set(states.map(({ mark }) => mark)).size, 4);
  assert.equal(read("fail", { category: "OFF_BRAND" }).words, "flagged: off brand");
  assert.equal(read("fail", { category: "no_prices" }).words, "flagged: no_prices");
  const pass = read("pass", { category: "NONE", rationale: "A greeting.", text: "Hello.", latency_ms: 310 });
  assert.deepEqual(pass.facts, [["category", "none"], ["why", "A greeting."], ["text", "Hello."], ["took", "310 ms"]]);
});

/** As little of a document as one entry needs. */
class Node {
  constructor(tag) {
    Object.assign(this, { tag, children: [], dataset: {}, style: { setProperty() {} }, attributes: {}, own: "" });
    this.classList = { add() {}, toggle() {} };
  }
  get firstChild() { return this.children[0] ?? null; }
  get textContent() { return this.own + this.children.map((one) => one.textContent ?? one).join(""); }
  set textContent(text) { this.own = text; this.children = []; }
  append(...more) { this.children.push(...more); }
  replaceChildren(...all) { this.children = all; }
  setAttribute(name, value) { this.attributes[name] = value; }
  querySelector(tag) { return this.all().find((one) => one.tag === tag) ?? null; }
  all() { return this.children.filter((one) => one instanceof Node).flatMap((one) => [one, ...one.all()]); }
}

test("the chip of a verdict changes in place, so that it stays open and keeps the focus", () => {
  const message = {
    key: "message:a1", kind: "message", item_id: "a1", role: "assistant", agent: "greeter", parts: ["You fool."],
    done: true, heard: null, interrupted: false, latency: null, guardrail: null,
  };
  const { node, update } = entryView({ createElement: (tag) => new Node(tag) }, message);
  const chip = node.all().find((one) => one.className === "verdict");
  assert.equal(chip.hidden, true);
  const verdict = { state: "pending", category: "", rationale: "", text: "", latency_ms: null };
  update({ ...message, guardrail: verdict });
  assert.deepEqual([chip.hidden, chip.dataset.state], [false, "pending"]);
  chip.open = true;
  update({ ...message, guardrail: { ...verdict, state: "fail", category: "OFFENSIVE", rationale: "It insults.", text: "You fool.", latency_ms: 1240 } });
  assert.equal(node.all().find((one) => one.className === "verdict"), chip);
  assert.deepEqual([chip.open, chip.dataset.state], [true, "fail"]);
  assert.match(chip.textContent, /flagged: offensive.*It insults\..*You fool\..*1\.24 s/);
});

test("a call of an agent that does not speak is a breadcrumb with its name", () => {
  const call = { kind: "tool", name: "look", given: '{"a":1}', output: "42", took_ms: 12, done: true };
  const view = (entry) => entryView({ createElement: (tag) => new Node(tag) }, { ...call, ...entry }).node;
  const nested = view({ key: "tool:c1.1", by: "supervisorAgent" });
  assert.match(nested.textContent, /\[supervisorAgent\] function call:look.*\[supervisorAgent\] function call result42/s);
  assert.deepEqual([nested.dataset.tool, nested.dataset.by], ["look", "supervisorAgent"]);
  assert.doesNotMatch(view({ key: "tool:c1", by: null }).textContent, /\[/);
});
