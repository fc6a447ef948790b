"""What the caller's side sent and is owed an answer for: errors by its own event ids, updates, typed messages.

All of it is bounded: a client that floods gets less service, never more memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtbridge.core import dialect, journal, view

if TYPE_CHECKING:
    from rtbridge.core.call import Call

Wire = dict[str, Any]

MAX_OPEN = 64


class Correspondence:
    """One client's open letters."""

    def __init__(self) -> None:
        self._event_ids: dict[str, str | None] = {}  # our event_id -> the client's
        self._updates: list[Wire] = []  # the `session` of each session.update that is not answered yet
        self._typed: dict[str, None] = {}  # items that the caller wrote and the upstream has not added yet

    def sent(self, ours: str, theirs: str | None) -> None:
        """Note that our event `ours` does what the client's event `theirs` asked for."""
        self._event_ids[ours] = theirs
        _keep_newest(self._event_ids)

    def whose(self, ours: object) -> tuple[bool, str | None]:
        """Return (whether an event of ours was the client's, the client's event_id); once only."""
        if not isinstance(ours, str) or ours not in self._event_ids:
            return False, None
        return True, self._event_ids.pop(ours)

    def owe_update(self, session: Wire) -> bool:
        """Note a session.update to be answered; False when too many wait already."""
        if len(self._updates) >= MAX_OPEN:
            return False
        self._updates.append(session)
        return True

    def pay_updates(self) -> list[Wire]:
        """Return the updates to be answered now, in order."""
        owed, self._updates = self._updates, []
        return owed

    def typed(self, item_id: str) -> None:
        """Note an item that the caller wrote."""
        self._typed[item_id] = None
        _keep_newest(self._typed)

    def was_typed(self, item_id: str) -> bool:
        """Whether the caller wrote this item; once only."""
        return self._typed.pop(item_id, self) is None


def _keep_newest(open_letters: dict[str, Any]) -> None:
    while len(open_letters) > MAX_OPEN:
        del open_letters[next(iter(open_letters))]


def tell_session(call: Call, kind: str) -> dict[str, Any]:
    """Tell the client the session in force (events session.created, session.updated) and return what it was told."""
    seen = view.session_view(call.session, call_id=call.plan.call_id, detection=call.detection.shown)
    call.tell({"type": kind, "event_id": call.new_id("event"), "session": seen})
    return seen


def answer_updates(call: Call) -> None:
    """Answer each session.update of the client, and name what of it was left as it is."""
    for asked in call.client.pay_updates():
        ignored = dialect.ignored(asked, call.session, tell_session(call, "session.updated"))
        if ignored:
            call.note(journal.Notice(f"the server owns {', '.join(ignored)}; left as it is", ignored))
