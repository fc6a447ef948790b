// How a tool call looks that waits for a person: its arguments, the seconds left, two buttons, and at last one line
// that says what became of it. Built once and changed in place. What is clicked is main.js' business: a button
// names its answer and its call in data attributes.
import { approvalParts } from "./approvals.js";
import { prettyJson } from "./words.js";

/** Fill `node` and return its `update(entry)`. */
export function approvalView(make, node, { call_id, name, given, approver }) {
  const title = make("p", { className: "title" });
  const left = make("span", { className: "left", role: "timer" }); // a timer is not read out as it runs
  const line = make("p", { className: "outcome", tabIndex: -1 });
  const button = (answer, textContent, className) => {
    const made = make("button", { type: "button", className, textContent, ariaLabel: `${textContent} ${name}` });
    Object.assign(made.dataset, { answer, call: call_id });
    return made;
  };
  const buttons = [button("approve", "Approve", "primary"), button("reject", "Reject", "quiet")];
  const row = make("div", { className: "answers" }, ...(approver === "page" ? buttons : []), left);
  const card = make(
    "div", { className: "card", role: "group", ariaLabel: `Approval of ${name}` },
    title, make("pre", { tabIndex: 0, ariaLabel: "Arguments", textContent: prettyJson(given) }), row, line,
  );
  node.append(card);
  return (entry) => {
    const parts = approvalParts(entry);
    const focused = node.ownerDocument.activeElement;
    const held = buttons.includes(focused);
    card.dataset.state = entry.state;
    set(title, parts.title);
    set(left, parts.left);
    set(line, parts.line);
    row.hidden = !parts.left;
    line.hidden = !parts.line;
    // aria-disabled and not disabled: the focus must stay where it is until the server has answered.
    for (const one of buttons) one.ariaDisabled = String(entry.asked !== null);
    if (held && row.hidden) line.focus();
  };
}

function set(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
