import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { duration, heardParts } from "./entry-view.js";
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
