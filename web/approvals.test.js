import assert from "node:assert/strict";
import { test } from "node:test";
import { anyWaiting, approvalParts } from "./approvals.js";
import { entryView } from "./entry-view.js";
import { initial, reduce } from "./state.js";

const ASKED = {
  type: "rtbridge.tool.approval_requested", call_id: "c1", name: "refund", arguments: '{"cents": 900}',
  approver: "page", expires_in_ms: 30_000,
};
const run = (events, from = initial()) => events.reduce(reduce, from);
const live = () => run([{ type: "page.connecting", step: "media" }, { type: "rtbridge.call.opened", agent: "till" }]);
const card = (state) => state.entries.find(({ kind }) => kind === "approval");
const outcome = (...events) => approvalParts(card(run([ASKED, ...events], live()))).line;

test("a tool call that needs an approval is shown with its arguments and the time that is left", () => {
  const state = run([ASKED, ASKED, { type: "page.ticked", elapsed_ms: 8200 }], live());
  assert.equal(state.entries.length, 1);
  assert.deepEqual(approvalParts(card(state)), { title: "refund needs your approval", left: "22 s left", line: "" });
  assert.equal(card(state).given, '{"cents": 900}');
  const operators = approvalParts(card(run([{ ...ASKED, approver: "operator" }], live())));
  assert.equal(operators.title, "refund needs the operator's approval");
  assert.equal(card(run([{ type: "page.ticked", elapsed_ms: 99_000 }], state)).left_ms, 0);
});

test("a tool call that waits for an approval is not said to run", () => {
  const started = { type: "rtbridge.tool.started", call_id: "c1", name: "refund", arguments: "{}" };
  const held = (...events) => run([started, ASKED, ...events], live()).entries[0].held;
  assert.equal(held(), true);
  assert.equal(held({ type: "rtbridge.tool.approved", call_id: "c1", by: "page" }), false);
});

test("each end of an approval is a line that says who and why", () => {
  assert.equal(outcome({ type: "rtbridge.tool.approved", call_id: "c1", by: "page" }), "Approved here");
  assert.equal(outcome({ type: "rtbridge.tool.approved", call_id: "c1", by: "operator" }), "Approved by the operator");
  assert.equal(outcome({ type: "rtbridge.tool.rejected", call_id: "c1", by: "page" }), "Rejected here");
  const why = { type: "rtbridge.tool.rejected", call_id: "c1", by: "operator", reason: "over the limit" };
  assert.equal(outcome(why), "Rejected by the operator: over the limit");
  const gone = { type: "rtbridge.tool.rejected", call_id: "c1", by: "bridge", reason: "the call was handed to poet" };
  assert.equal(outcome(gone), "Not run: the call was handed to poet");
  assert.match(outcome({ type: "rtbridge.tool.approval_expired", call_id: "c1", after_ms: 30_000 }), /^Timed out/);
  assert.equal(outcome({ type: "page.ended", reason: "hangup" }), "Not run: the call ended");
});

test("what is settled stays so, and time passes only while something waits", () => {
  const state = run([ASKED, { type: "rtbridge.tool.approved", call_id: "c1", by: "page" }], live());
  assert.equal(anyWaiting(state), false);
  const late = [{ type: "rtbridge.tool.approval_expired", call_id: "c1" }, { type: "page.ticked", elapsed_ms: 250 },
    { type: "page.answered", call_id: "c1", event_id: "answer_1" }, { type: "rtbridge.tool.approved", call_id: "c9" }];
  assert.equal(run(late, state), state);
});

test("an answer waits for the server, and an error about it gives the buttons back", () => {
  const asked = run([ASKED, { type: "page.answered", call_id: "c1", event_id: "answer_1" }], live());
  assert.equal(card(asked).asked, "answer_1");
  const other = run([{ type: "error", error: { event_id: "x", message: "no" } }], asked);
  assert.equal(card(other).asked, "answer_1");
  const refused = run([{ type: "error", error: { event_id: "answer_1", message: "no" } }], asked);
  assert.equal(card(refused).asked, null);
  assert.equal(card(refused).state, "pending");
});

test("malformed requests change nothing", () => {
  const state = live();
  for (const bad of [{ ...ASKED, call_id: 7 }, { ...ASKED, call_id: "" }]) assert.equal(reduce(state, bad), state);
  const odd = card(reduce(state, { ...ASKED, approver: "anybody", expires_in_ms: "soon", name: null, arguments: 3 }));
  assert.deepEqual([odd.approver, odd.left_ms, odd.name, odd.given], ["operator", 0, "", ""]);
});

test("the card has buttons where the page may answer, and none where the operator does", () => {
  const document = { createElement: fakeElement, activeElement: null };
  for (const [approver, count] of [["page", 2], ["operator", 0]]) {
    const state = run([{ ...ASKED, approver }], live());
    const view = entryView(document, card(state));
    const buttons = all(view.node, (one) => one.tag === "button");
    assert.equal(buttons.length, count);
    assert.deepEqual(buttons.map(({ dataset }) => dataset.answer), ["approve", "reject"].slice(0, count));
    assert.ok(buttons.every(({ dataset }) => dataset.call === "c1"));
    const given = all(view.node, (one) => one.tag === "pre")[0];
    assert.equal(given.textContent, '{\n  "cents": 900\n}');
    if (!count) continue;
    document.activeElement = buttons[0];
    view.update(card(run([{ type: "page.answered", call_id: "c1", event_id: "a" }], state)));
    assert.equal(buttons[0].ariaDisabled, "true");
    view.update(card(run([{ type: "rtbridge.tool.approved", call_id: "c1", by: "page" }], state)));
    const line = all(view.node, (one) => one.className === "outcome")[0];
    assert.deepEqual([line.textContent, line.hidden, line.focused], ["Approved here", false, true]);
  }

  function fakeElement(tag) {
    const children = [];
    return {
      tag, dataset: {}, children, ownerDocument: document, classList: { add() {} },
      append: (...more) => children.push(...more), focus() { this.focused = true; },
    };
  }

  function all(node, wanted) {
    const below = (node.children ?? []).flatMap((one) => all(one, wanted));
    return wanted(node) ? [node, ...below] : below;
  }
});
