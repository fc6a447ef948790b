"""Bounds: how often the model may act before somebody is heard again: no tool storm and no handoff loop.

At most 8 tool calls in a turn of the caller's, and at most 4 handoffs in any minute. A call over a bound is not run:
the model gets an error that says so, and is asked for an answer without tools, to end politely. A model that goes on
calling all the same has its call ended.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Final

MAX_TOOL_CALLS: Final = 8  # in one turn of the caller's
MAX_HANDOFFS: Final = 4  # in any PER_S seconds
PER_S: Final = 60.0
MAX_CORRECTIONS: Final = 2  # answers of one turn that guardrails stopped, and that were asked for otherwise
MAX_REFUSING: Final = 3  # responses of one turn that were refused something; the next one ends the call
ENDING: Final = "ending"
"""The cause of a response that is to come without tools."""


class Bounds:
    """What was done in this turn and in the last minute. Times are loop time in seconds."""

    def __init__(self) -> None:
        self._calls = 0
        self._handoffs: deque[float] = deque()
        self._refused: set[str] = set()  # responses of this turn
        self._corrections = 0

    def turn_over(self) -> None:
        """Note that the caller has said something: the model may act again."""
        self._calls = self._corrections = 0
        self._refused.clear()

    def over(self, response_id: str, *, handoff: bool, now: float) -> tuple[str, int] | None:
        """Count a call of a response; return the (name, limit) of the bound that it breaks, or None."""
        while self._handoffs and self._handoffs[0] <= now - PER_S:
            self._handoffs.popleft()
        if handoff and len(self._handoffs) < MAX_HANDOFFS:
            self._handoffs.append(now)
            return None
        if not handoff and self._calls < MAX_TOOL_CALLS:
            self._calls += 1
            return None
        self._refused.add(response_id)
        return ("handoffs", MAX_HANDOFFS) if handoff else ("tool_calls", MAX_TOOL_CALLS)

    def switch_wait(self, now: float) -> float:
        """Count a handoff that somebody at the page wants; return 0, or in how many seconds there is room for it."""
        while self._handoffs and self._handoffs[0] <= now - PER_S:
            self._handoffs.popleft()
        if len(self._handoffs) >= MAX_HANDOFFS:
            return self._handoffs[0] + PER_S - now
        self._handoffs.append(now)
        return 0.0

    def may_correct(self) -> bool:
        """Count a correction of the model's words; return whether there is room for it in this turn."""
        self._corrections += 1
        return self._corrections <= MAX_CORRECTIONS

    @property
    def hopeless(self) -> bool:
        """Whether the model goes on although it was told, and asked without tools, more than 3 times."""
        return len(self._refused) > MAX_REFUSING


def refusal(what: str, limit: int) -> str:
    """Return the output that answers a call over a bound: JSON, for the model."""
    why = {
        "handoffs": f"{limit} handoffs within a minute",
        "tool_calls": f"{limit} tool calls since the caller last spoke",
    }[what]
    advice = (
        "Call nothing now. Tell the caller briefly and politely that you cannot get further with this at the "
        "moment, and ask what else you can do or say goodbye."
    )
    return json.dumps(
        {"error": f"not run: there were {why}, and more are not allowed", "instructions": advice}
    )
