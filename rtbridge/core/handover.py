"""Handover: a handoff as a transaction, from its decision to the moment the new agent is the one who speaks.

In order: it is decided, by the model's call or by somebody at the page (switching.py), the agents hand in the new
agent's session, the output of the model's call is given once that session is acknowledged, one response is asked for
in the new role, and when nothing of the old agent is left to be heard, the handoff is announced. What fails on the
way leaves the old agent where it is.
"""

from __future__ import annotations

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


class Handover:
    """One handoff at a time; a newer one takes the place of one that is not finished."""

    def __init__(self) -> None:
        self.pending: Pending | None = None
        self._unannounced: AgentHandedOff | None = None

    def begin(self, call_id: str | None, to: str, now: float) -> None:
        """Note that a handoff was decided: by the model's call of this id, or without one."""
        self.pending = Pending(call_id, to, now)

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

    def switch(self, agent: str, now: float) -> str:
        """Return who answers from the next response on: the new agent once its session is in force."""
        pending = self.pending
        if pending is None or not pending.answered:
            return agent
        self.pending = None
        self._unannounced = AgentHandedOff(agent, pending.to, round((now - pending.since_s) * 1000))
        return pending.to

    def announce(self, speaking: str | None) -> AgentHandedOff | None:
        """Return the finished handoff, once, when `speaking` (whose audio plays, or None) is not the old agent."""
        entry = self._unannounced
        if entry is None or speaking not in (None, entry.to):
            return None
        self._unannounced = None
        return entry
