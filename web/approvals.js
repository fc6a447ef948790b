// Tool calls that wait for a person: what the page knows of them and how it reads. Pure functions over the state
// of state.js; how they look is in approval-view.js. The server alone decides: a click here is a wish.
import { append, clip, find, isId, ms, replace } from "./entries.js";

const WHO = { page: "here", operator: "by the operator" };

/** Whether somebody still has to answer for a tool call. */
export const anyWaiting = (state) => state.entries.some(isWaiting);

/** An entry when the call ends: what waited then was not run. */
export const dropped = (entry) => (isWaiting(entry) ? { ...entry, state: "rejected", by: "bridge", reason: "the call ended" } : entry);

/** The state after an `error` about an answer given here: the buttons come back, whatever the error was. */
export function unanswered(state, event_id) {
  const at = isId(event_id) ? state.entries.findLastIndex((one) => isWaiting(one) && one.asked === event_id) : -1;
  return at < 0 ? state : replace(state, at, { asked: null });
}

/** How an approval reads: `{title, left, line}`; `left` while it waits, `line` once it is over. */
export function approvalParts({ name, approver, state, by, reason, left_ms }) {
  const why = reason ? `: ${reason}` : "";
  const who = approver === "page" ? "your" : "the operator's";
  const waits = state === "pending";
  const line = {
    pending: "",
    approved: `Approved ${WHO[by] ?? ""}`.trim(),
    rejected: by === "bridge" ? `Not run${why}` : `Rejected ${WHO[by] ?? ""}`.trim() + why,
    expired: "Timed out: nobody approved it, so it was not run",
  }[state];
  return { title: waits ? `${name} needs ${who} approval` : name, left: waits ? `${Math.ceil(left_ms / 1000)} s left` : "", line };
}

const isWaiting = (entry) => entry.kind === "approval" && entry.state === "pending";

const settle = (state, call_id, change) => {
  const at = isId(call_id) ? find(state, `approval:${call_id}`) : -1;
  if (at < 0 || !isWaiting(state.entries[at])) return state;
  return hold(replace(state, at, { ...change, asked: null }), call_id, false);
};

/** Say of the tool call's own entry that it does not run yet, or does. */
const hold = (state, call_id, held) => {
  const at = find(state, `tool:${call_id}`);
  return at < 0 ? state : replace(state, at, { held });
};

/** The rules of state.js that are about approvals, by event type. */
export const APPROVAL_RULES = {
  "rtbridge.tool.approval_requested": (state, { call_id, name, arguments: given, approver, expires_in_ms }) => {
    if (!isId(call_id) || find(state, `approval:${call_id}`) >= 0) return state;
    return append(hold(state, call_id, true), {
      key: `approval:${call_id}`, kind: "approval", call_id, name: clip(name), given: clip(given),
      approver: approver === "page" ? "page" : "operator",
      state: "pending", // pending | approved | rejected | expired
      by: "", reason: "", left_ms: ms(expires_in_ms) ?? 0,
      asked: null, // event_id of the answer that was given here and that the server has not taken yet
    });
  },
  "rtbridge.tool.approved": (state, { call_id, by }) => settle(state, call_id, { state: "approved", by: clip(by) }),
  "rtbridge.tool.rejected": (state, { call_id, by, reason }) =>
    settle(state, call_id, { state: "rejected", by: clip(by), reason: clip(reason) }),
  "rtbridge.tool.approval_expired": (state, { call_id }) => settle(state, call_id, { state: "expired", left_ms: 0 }),
  "page.answered": (state, { call_id, event_id }) => {
    const at = isId(call_id) ? find(state, `approval:${call_id}`) : -1;
    return at < 0 || !isWaiting(state.entries[at]) ? state : replace(state, at, { asked: event_id });
  },
  "page.ticked": (state, { elapsed_ms }) => {
    const passed = ms(elapsed_ms);
    if (!passed || !anyWaiting(state)) return state;
    const entries = state.entries.map((one) => (isWaiting(one) ? { ...one, left_ms: Math.max(0, one.left_ms - passed) } : one));
    return { ...state, entries };
  },
};
