"""Handover: a handoff as a transaction, from its decision to the moment the new agent is the one who speaks.

In order: it is decided, by the model's call or by somebody at the page (switching.py), the agents hand in the new
agent's session, the output of the model's call is given once that session is acknowledged, one response is asked for
in the new role, and when nothing of the old agent is left to be heard, the handoff is announced. What fails on the
way leaves the old agent where it is.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rtbridge.core.journal import AgentHandedOff


@dataclass(slots=True)
class Pending:
    """A handoff that was decided and is not finished."""

    call_id: str | None  # of the model's call; None where somebody at the page decided
    to: str
    since_s: float
    configured: bool = False  # the new agent's session was handed in
    role: str | None = None  # its instructions
    answered: bool = False
    drops: tuple[str, ...] = ()  # items that its input_filter leaves behind
    response_id: str = ""  # in which the model called it


class Handover:
    """One handoff at a time: a model's call for another is answered with `second` and not run."""

    def __init__(self) -> None:
        self.pending: Pending | None = None
        self._unannounced: deque[tuple[AgentHandedOff, str | None]] = deque()  # and the old agent's last item

    def begin(self, call_id: str | None, to: str, now: float, *, response_id: str = "") -> None:
        """Note that a handoff was decided: by the model's call of this id in this response, or without one."""
        self.pending = Pending(call_id, to, now, response_id=response_id)

    def decided_in(self, response_id: str) -> bool:
        """Whether a handoff that goes on was called in this response: what it says from here on is not heard."""
        return self.pending is not None and self.pending.response_id == response_id

    def configured(self, role: str | None, agent: str = "") -> str | None:
        """Note the session that was handed in; return the agent it is for, None when no handoff is going on.

        `agent` is whose session it is, where that was said: another than the one waited for changes nothing.
        """
        pending = self.pending
        if pending is None or pending.answered or agent not in ("", pending.to):
            return None
        pending.configured, pending.role = True, role
        return pending.to

    def leave_behind(self, item_ids: tuple[str, ...]) -> None:
        """Note what the handoff that is going on does not take along."""
        if self.pending is not None:
            self.pending.drops = item_ids

    def switched(self) -> Pending | None:
        """Return the handoff that the session handed in completes: one that no call's result is to follow."""
        pending = self.pending
        if pending is None or pending.call_id is not None or not pending.configured or pending.answered:
            return None
        pending.answered = True
        return pending

    def failed(self) -> None:
        """The agents could not carry it out: the old agent stays."""
        self.pending = None

    def answered(self, call_id: str) -> Pending | None:
        """Note a tool's result; return the handoff that it completes, if it does.

        A handoff that has its result before its session has failed: that result is for the old agent to talk about.
        """
        pending = self.pending
        if pending is None or pending.call_id != call_id:
            return None
        if not pending.configured:
            self.pending = None
            return None
        pending.answered = True
        return pending

    def switch(self, agent: str, now: float, *, last_item_id: str | None) -> str:
        """Return who answers from the next response on: the new agent once its session is in force.

        `last_item_id` is the last item that is still to be heard, or None: what the old agent has said until now.
        """
        pending = self.pending
        if pending is None or not pending.answered:
            return agent
        self.pending = None
        entry = AgentHandedOff(agent, pending.to, round((now - pending.since_s) * 1000))
        self._unannounced.append((entry, last_item_id))
        return pending.to

    def announce(self, holds: Callable[[str], bool]) -> Iterator[AgentHandedOff]:
        """Yield the finished handoffs, each once, in order, when nothing of their old agents is left to be heard.

        `holds` says whether an item is still queued or playing.
        """
        while self._unannounced:
            entry, last_item_id = self._unannounced[0]
            if last_item_id is not None and holds(last_item_id):
                return
            self._unannounced.popleft()
            yield entry


def second(to: str) -> str:
    """Return the output of a handoff that is called while one to `to` goes on: JSON, for the model."""
    message = f"Not done: the call is being handed over to {to} already, and one handoff is made at a time."
    return json.dumps({"error": {"type": "handoff_in_progress", "message": message}})
