"""The offline wits: a scenario's lines for our own bridge, its tools' names for anybody else.

`session.prompt.id` = "<scenario>/<agent>" names a `brain.toml` (its format: brain_file.py) under the brains
folder, as `<scenario>/brain.toml`. The answer is a pure function of the turn: the conversation is replayed
through the agents' dialogs (dialog.py) from its first item, agent by agent as the handoffs in it say, and
the acts of the last step are the answer. Without a known prompt id, the session's tools are all there is
to go by (foreign.py).

This is not a language model. It routes, collects, calls and reads out, and says so when asked for more.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtbridge.engine.brain_file import BrainFile, load_brain_file
from rtbridge.engine.dialog import Dialog, Memory, Step
from rtbridge.engine.foreign import Foreigner
from rtbridge.engine.intent import Matcher
from rtbridge.engine.lines import choose
from rtbridge.engine.meaning import Meaning
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.engine.reading import HANDOFF, Called, Event, Got, Heard, Said, json_or_text, read_items
from rtbridge.engine.schema import fault

SAY_EXACTLY = re.compile(r'(?is)^say exactly\b[^"]*"([^"]{1,400})"\s*$')
GREET = re.compile(r"(?i)\b(greet|welcome|say hello|introduce yourself|open the call)")
CANNOT = "I'm sorry, that is not possible on this call. Is there anything else?"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario's lines, ready to talk."""

    first: str  # the agent that a call starts with, as far as the file tells
    dialogs: Mapping[str, Dialog]


class Brain:
    """`parts.Wits` from plain data. Thread-safe: nothing changes after loading but caches that lock."""

    def __init__(self, files: Mapping[str, BrainFile], meaning: Meaning) -> None:
        """Take the brain files by scenario."""
        self._matchers: list[Matcher] = []
        self._scenarios = {name: self._scenario(file, meaning) for name, file in files.items()}
        self._subjects = [
            about
            for file in files.values()
            for bank in file.banks.values()
            for entry in bank
            for about in entry.about
        ]
        self._foreigner = Foreigner(meaning)

    def _scenario(self, file: BrainFile, meaning: Meaning) -> Scenario:
        dialogs = {}
        for name, agent in file.agents.items():
            matcher = Matcher(agent, meaning)
            self._matchers.append(matcher)
            dialogs[name] = Dialog(agent, file, matcher, meaning)
        return Scenario(next(iter(dialogs)), dialogs)

    def examples(self) -> Iterator[str]:
        """Yield every text that utterances are compared with, roughly in the order in which calls need them."""
        yield from self._foreigner.examples()
        for matcher in self._matchers:
            yield from matcher.examples()
        yield from self._subjects

    def answer(self, turn: Turn) -> list[Act]:
        """Return the acts of one response; see `parts.Wits.answer`. Who is told what to say, says that."""
        if (told := SAY_EXACTLY.match(turn.response_instructions or "")) is not None:
            return [Say(told[1])]
        scenario, agent = self.find(turn.prompt_id)
        if scenario is not None and turn.items and turn.items[-1].get("role") == "system":
            corrections = sum(item.get("role") == "system" for item in turn.items)
            line = choose(scenario.dialogs[agent].agent.corrected, {}, turn=corrections - 1)
            if line:
                return [Say(line)]
        events = read_items(turn.items)
        acts: Sequence[Act]
        if scenario is None:
            acts = self._foreigner.answer(events, turn.tools, turn.tool_choice)
        else:
            asked_to_greet = bool(GREET.search(turn.response_instructions or ""))
            acts = replay(scenario, agent, events, greet=asked_to_greet).acts
        return permitted(acts, turn.tools, turn.tool_choice)

    def study(self, prompt_id: str | None, tools: Sequence[Mapping[str, Any]]) -> None:
        """Get to know the tools of a client that has no lines here; see `parts.EngineParts.study`."""
        if self.find(prompt_id)[0] is None:
            self._foreigner.study(tools)

    def find(self, prompt_id: str | None) -> tuple[Scenario | None, str]:
        """Return the scenario and agent that `prompt_id` names, or (None, "")."""
        scenario, _, agent = (prompt_id or "").partition("/")
        known = self._scenarios.get(scenario)
        return (known, agent) if known and agent in known.dialogs else (None, "")


def replay(scenario: Scenario, agent: str, events: Sequence[Event], *, greet: bool = False) -> Step:
    """Return the step that `agent` takes now, from everything that happened before.

    Before the last handoff the agents that spoke are those that the handoffs name; the first is `agent`
    itself when there was none, else the scenario's first. What they learned goes with the call.
    """
    legs = _legs(events)
    first = scenario.first if len(legs) > 1 else agent
    memory: Memory | None = None
    step = Step(Memory(""), ())
    overheard = ""
    visits: Counter[str] = Counter()
    for i, (name, leg) in enumerate(legs):
        last = i == len(legs) - 1
        speaker = agent if last else (name or first)
        visits[speaker] += 1
        dialog = scenario.dialogs.get(speaker)
        if dialog is None:  # an agent without lines: nothing to learn from it
            continue
        memory = dialog.begin(memory)
        step = _leg(dialog, memory, leg, overheard, visits[speaker], greet=last and greet)
        memory = step.memory
        heard = [event.text for event in leg if isinstance(event, Heard)]
        overheard = heard[-1] if heard else ""
    return step


def _legs(events: Sequence[Event]) -> list[tuple[str, list[Event]]]:
    """Return the conversation parted at its handoffs: (agent taking over, "" for the first; its events)."""
    legs: list[tuple[str, list[Event]]] = [("", [])]
    for event in events:
        if isinstance(event, Got) and event.name.startswith(HANDOFF) and not _failed(event):
            legs.append((event.name.removeprefix(HANDOFF), []))
        else:
            legs[-1][1].append(event)
    return legs


def _failed(handoff: Got) -> bool:
    """Return whether a handoff was refused or failed: then the agent that asked for it goes on."""
    result = json_or_text(handoff.output)
    return isinstance(result, dict) and "error" in result


def _leg(
    dialog: Dialog, memory: Memory, events: Sequence[Event], overheard: str, visit: int, *, greet: bool
) -> Step:
    """Return the last step of `dialog` over its part of the conversation."""
    if greet or not events:
        return dialog.open(memory, overheard, visit)
    step = dialog.open(memory, overheard, visit)
    before = step.memory  # as it was when the caller began to speak
    unanswered: list[str] = []  # caller turns since then: a pause can part one wish in two
    for event in events:
        match event:
            case Heard(text):
                if not unanswered:
                    before = step.memory
                unanswered.append(text)
                step = dialog.hear(before, text)
                if not step.understood and len(unanswered) > 1:
                    step = dialog.hear(before, " ".join(unanswered))
            case Got(name, output):
                step = dialog.get(step.memory, name, output)
                unanswered = []
            case Said() | Called():
                unanswered = []
    match events[-1]:
        case Said():  # asked to speak again with nothing new
            return dialog.nudge(step.memory)
        case Called():  # the tool has not answered yet
            return Step(step.memory, ())
        case Heard() if not step.understood and not any(isinstance(event, Said) for event in events):
            return dialog.open(memory, overheard, visit)  # "hello?" before we spoke
    return step


def permitted(acts: Sequence[Act], tools: Sequence[Mapping[str, Any]], tool_choice: Any) -> list[Act]:
    """Return `acts` without calls that the session does not allow; an honest word in place of nothing.

    A call must name a tool of the session and its arguments must fit the tool's parameters.
    """
    declared = {str(tool.get("name")): tool.get("parameters") or {} for tool in tools}
    kept: list[Act] = []
    refused = False
    for act in acts:
        if isinstance(act, Call):
            parameters = declared.get(act.name)
            if (
                tool_choice == "none"
                or parameters is None
                or fault(json.loads(act.arguments_json), parameters)
            ):
                refused = True
                continue
        kept.append(act)
    return [Say(CANNOT)] if refused and not any(isinstance(act, Call) for act in kept) else kept


def load_brains(brains: Path | None) -> dict[str, BrainFile]:
    """Return the brain file of every scenario folder in `brains` that has one. Raises ScenarioError."""
    if brains is None:
        return {}
    return {path.parent.name: load_brain_file(path) for path in sorted(brains.glob("*/brain.toml"))}
