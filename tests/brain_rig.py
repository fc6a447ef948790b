"""A conversation with the wits: what an engine would keep of it, as plain items."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtbridge.engine.brain import Brain
from rtbridge.engine.brain_file import BrainFile
from rtbridge.engine.dialog import Memory
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.engine.reading import HANDOFF

PARAPHRASES = Path(__file__).parent / "engine" / "paraphrases"
NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def tool(name: str, parameters: Mapping[str, Any] = NO_ARGUMENTS, description: str = "") -> dict[str, Any]:
    return {"type": "function", "name": name, "description": description, "parameters": parameters}


@dataclass(frozen=True)
class Case:
    """Wordings that the lines of `scenario` do not hold, and what they mean to `agent` in `state`."""

    scenario: str
    agent: str
    state: str
    intent: str  # or "lost": what no agent there can do
    say: tuple[str, ...]

    def __str__(self) -> str:
        return "-".join(part for part in (self.scenario, self.agent, self.state, self.intent) if part)


def cases(scenario: str) -> Iterator[Case]:
    """Read the wordings of a scenario that are kept apart from its lines."""
    for table in tomllib.loads((PARAPHRASES / f"{scenario}.toml").read_text("utf-8"))["case"]:
        yield Case(scenario, table["agent"], table["state"], table["intent"], tuple(table["say"]))


def understood(brain: Brain, scenario: str, agent: str, state: str, text: str) -> str:
    """Return the intent that `text` has in `state`; of a value that is read back first, the one it is told for."""
    lines, _ = brain.find(f"{scenario}/{agent}")
    assert lines is not None
    step = lines.dialogs[agent].hear(Memory(state), text)
    return (step.memory.pending if step.memory.confirming else step.intent) or "lost"


def misunderstood(brain: Brain, lines: BrainFile, case: Case) -> tuple[float, dict[str, str]]:
    """Return the share of a case's unseen wordings that are understood otherwise than meant, and as what."""
    seen = {
        example.lower().strip(".!?") for one in lines.agents[case.agent].intents for example in one.examples
    }
    unseen = [text for text in case.say if text.lower().strip(".!?") not in seen]
    found = {text: understood(brain, case.scenario, case.agent, case.state, text) for text in unseen}
    wrong = {text: meant for text, meant in found.items() if meant != case.intent}
    return len(wrong) / len(unseen), wrong


class Talk:
    """Plays client and server around a Brain: keeps items, answers tools, follows handoffs."""

    def __init__(
        self,
        brain: Brain,
        scenario: str,
        agent: str,
        tools: Mapping[str, Sequence[dict[str, Any]]],
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        self.brain, self.scenario, self.agent = brain, scenario, agent
        self.tools, self.outputs = tools, outputs or {}
        self.items: list[dict[str, Any]] = []
        self.calls: list[Call] = []

    def turn(self, response_instructions: str | None = None) -> Turn:
        return Turn(
            instructions="",
            tools=self.tools.get(self.agent, ()),
            items=tuple(self.items),
            prompt_id=f"{self.scenario}/{self.agent}" if self.scenario else None,
            tool_choice="auto",
            response_instructions=response_instructions,
            voice="sage",
        )

    def respond(self) -> list[str]:
        """Ask for responses until no tool was called; return what was said."""
        said: list[str] = []
        for _ in range(5):
            acts = self.brain.answer(self.turn())
            said += [act.text for act in acts if isinstance(act, Say)]
            if not self._do(acts):
                return said
        raise AssertionError("tools were called five times in a row")

    def hear(self, text: str) -> list[str]:
        part = {"type": "input_audio", "transcript": text}
        self.items.append({"type": "message", "role": "user", "content": [part]})
        return self.respond()

    def _do(self, acts: Sequence[Act]) -> bool:
        called = False
        for act in acts:
            if isinstance(act, Say):
                part = {"type": "output_audio", "transcript": act.text}
                self.items.append({"type": "message", "role": "assistant", "content": [part]})
                continue
            called = True
            self.calls.append(act)
            call_id = f"call_{len(self.calls)}"
            output = self.outputs.get(act.name, {"assistant": act.name})
            call = {"type": "function_call", "name": act.name, "call_id": call_id}
            self.items.append({**call, "arguments": act.arguments_json})
            self.items.append(
                {"type": "function_call_output", "call_id": call_id, "output": json.dumps(output)}
            )
            if act.name.startswith(HANDOFF):
                self.agent = act.name.removeprefix(HANDOFF)
        return called
