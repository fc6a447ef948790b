// The report: reads its data, draws it, and joins the sound, the time line and the transcript.
import { clamp, clock, spoken } from "./time.js";
import { loudest, peaks } from "./wave.js";
import { LEAST_ZOOM, mostZoom, scrollFor } from "./layout.js";
import { keyAction, lineAt, neighbour } from "./follow.js";
import { failures, top } from "./top-view.js";
import { drawLanes } from "./lanes-view.js";
import { waterfall } from "./waterfall-view.js";
import { transcript } from "./transcript-view.js";
import { events } from "./events-view.js";
import { Player } from "./player.js";

const $ = (id) => document.getElementById(id);
const run = JSON.parse($("data").textContent);
const duration_ms = Math.max(1, run.duration_ms);
const sides = { caller: peaks(run.peaks.caller), agent: peaks(run.peaks.agent) };
const scale = loudest(sides.caller, sides.agent);
const scroller = $("scroller");
const sheet = $("sheet");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let zoom = LEAST_ZOOM;
let lines = [];
let current = -1;

const player = new Player($("sound"), $("recording"), duration_ms, {
  moved: show,
  turned(playing) {
    $("play-mark").textContent = playing ? "❚❚" : "▶";
    $("play-word").textContent = playing ? "Pause" : "Play";
  },
  failed: () => { $("broken-sound").hidden = false; },
});
const play = (ms) => player.playFrom(ms);

top($("top"), run);
failures($("failures"), run, { lineOf, go });
waterfall($("waterfall"), run.waterfall, { play });
lines = transcript($("lines"), run, { play });
events($("events"), run.events, { play });
$("length").textContent = `/ ${clock(run.duration_ms)}`;
scroller.setAttribute("aria-valuemax", String(Math.round(duration_ms)));
draw();
show(0);
document.documentElement.dataset.ready = "";

// -- the place in the call --------------------------------------------------------------------------------------
function show(ms) {
  $("now").textContent = clock(ms);
  scroller.setAttribute("aria-valuenow", String(Math.round(ms)));
  scroller.setAttribute("aria-valuetext", `${spoken(ms)} of ${spoken(duration_ms)}`);
  sheet.style.setProperty("--at", `${(ms / duration_ms) * 100}%`);
  const next = lineAt(run.transcript, ms);
  if (next !== current) {
    lines[current]?.removeAttribute("aria-current");
    lines[next]?.setAttribute("aria-current", "true");
    current = next;
  }
  if (!player.audio.paused) keepInSight(ms);
}

function keepInSight(ms) {
  const x = (ms / duration_ms) * width();
  const seen = scroller.clientWidth - names();
  if (x < scroller.scrollLeft || x > scroller.scrollLeft + seen * 0.95) scroller.scrollLeft = Math.max(0, x - seen * 0.1);
}

function lineOf(failure) {
  const own = run.transcript.findIndex((line) => failure.turn !== null && line.turn === failure.turn);
  const n = own >= 0 ? own : lineAt(run.transcript, failure.at_ms ?? 0);
  return n >= 0 ? `line-${n}` : "transcript-title";
}

function go(failure, event) {
  event.preventDefault();
  player.seek(failure.at_ms);
  const line = $(lineOf(failure));
  line.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
  line.querySelector("button")?.focus({ preventScroll: true });
}

// -- the time line ----------------------------------------------------------------------------------------------
function names() {
  return sheet.querySelector(".label")?.offsetParent && getComputedStyle(sheet).getPropertyValue("--names").trim() !== "0px"
    ? sheet.querySelector(".label").offsetWidth
    : 0;
}

function fitted() {
  return Math.max(200, scroller.clientWidth - names());
}

function width() {
  return fitted() * zoom;
}

function draw() {
  drawLanes(sheet, run, { width: width(), sides, scale });
}

function setZoom(to, at_ms = player.at, offset = null) {
  const next = clamp(to, LEAST_ZOOM, mostZoom(duration_ms, fitted()));
  const place = offset ?? clamp((at_ms / duration_ms) * width() - scroller.scrollLeft, 0, fitted());
  if (next !== zoom) {
    zoom = next;
    draw();
    scroller.scrollLeft = scrollFor(at_ms, place, width(), duration_ms);
  }
  $("out").disabled = zoom <= LEAST_ZOOM;
  $("in").disabled = zoom >= mostZoom(duration_ms, fitted());
}

function momentAt(clientX) {
  const over = sheet.querySelector(".over").getBoundingClientRect();
  return clamp(((clientX - over.left) / over.width) * duration_ms, 0, duration_ms);
}

scroller.addEventListener("click", (event) => {
  const mark = event.target.closest?.("[data-at]");
  play(mark ? Number(mark.dataset.at) : momentAt(event.clientX));
});
scroller.addEventListener("pointermove", (event) => {
  const ms = momentAt(event.clientX);
  $("hover").dataset.clock = clock(ms);
  $("hover").style.left = `${(ms / duration_ms) * 100}%`;
});
scroller.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  const ms = momentAt(event.clientX);
  setZoom(zoom * Math.exp(-event.deltaY / 300), ms, event.clientX - scroller.getBoundingClientRect().left - names());
}, { passive: false });
new ResizeObserver(() => {
  setZoom(zoom);
  draw();
}).observe(scroller);

// -- buttons and keys -------------------------------------------------------------------------------------------
$("play").addEventListener("click", () => player.toggle());
$("in").addEventListener("click", () => setZoom(zoom * 1.6));
$("out").addEventListener("click", () => setZoom(zoom / 1.6));
$("fit").addEventListener("click", () => setZoom(LEAST_ZOOM));
$("speed").addEventListener("change", (event) => { player.audio.playbackRate = Number(event.target.value); });

const DO = {
  toggle: () => player.toggle(),
  seek: ({ by_ms }) => player.seek(player.at + by_ms),
  start: () => player.seek(0),
  end: () => player.seek(duration_ms),
  turn({ forward }) {
    const to = neighbour(run.lanes.caller.map((span) => span.start_ms), player.at, forward);
    if (to !== null) player.seek(to);
  },
  zoom: ({ by }) => setZoom(zoom * by),
  fit: () => setZoom(LEAST_ZOOM),
};

document.addEventListener("keydown", (event) => {
  const action = keyAction(event, focusKind(event.target));
  if (!action) return;
  event.preventDefault();
  DO[action.do](action);
});

function focusKind(target) {
  if (target.closest("select, input, textarea, [contenteditable]")) return "text";
  if (target.closest("button, a, summary")) return "button";
  if (target.closest("[role=region]")) return "text"; // arrows scroll a wide table
  return target.closest("[role=slider]") ? "slider" : "page";
}
