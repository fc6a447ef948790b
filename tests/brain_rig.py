"""A conversation with the wits: what an engine would keep of it, as plain items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rtbridge.engine.brain import Brain
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.engine.reading import HANDOFF

NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def tool(name: str, parameters: Mapping[str, Any] = NO_ARGUMENTS, description: str = "") -> dict[str, Any]:
    return {"type": "function", "name": name, "description": description, "parameters": parameters}


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
