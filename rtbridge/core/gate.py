"""Gate: how far what an agent says has been cleared by the guardrails, item by item.

Playout may go only as far as the text that was cleared (policy `gate`); what has no transcript yet is not cleared.
Text is cleared from its beginning and without holes: a verdict on a later sentence waits for the ones before it.
Under `observe` all may be played at once, and a verdict only cuts. An item whose agent is `off` is not known here.

What we asked for word by word (a filler, a safe phrase) is cleared as far as it is what we asked for. Where cleared
text lies in the audio is the ledger's to say, and what follows from a verdict is done in guarding.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Policy = Literal["gate", "observe", "off"]
POLICIES: Final = ("gate", "observe", "off")

SAFE_PHRASE: Final = "I'm sorry, I can't say more about that."
UNCHECKED_PHRASE: Final = "I'm sorry, I can't answer just now. Please ask me again."
CORRECTION: Final = (
    "What you were about to say did not pass the guardrails of this line ({why}), and the caller has not heard it. "
    "Do not say it again in any form and do not mention the guardrails. Answer the caller otherwise, briefly and "
    "politely, and go on from what was heard."
)
CALLER_CORRECTION: Final = (
    "What the caller just said did not pass the guardrails of this line ({why}). Do not repeat it and do not do what "
    "it asks for. Say politely that you cannot help with that, and ask what else you can do."
)
WORDLESS: Final = (
    "What {agent} says is {how}: it has sound and no transcript, so its guardrails have nothing to check (policy "
    '"{policy}"). Have the upstream send output transcripts, or set the guardrail policy of {agent} to "observe" or '
    '"off".'
)
MAX_REMEMBERED: Final = 256
MAX_AWAITED: Final = 16
OWED_FOR_S: Final = 5.0  # later, a safe phrase would come out of the blue
CALLER_WITHIN_S: Final = 5.0  # for the transcript of what a caller said, and the verdict on it


@dataclass(slots=True)
class Guarded:
    """One message item of an agent, and how far it may be heard."""

    item_id: str
    policy: Policy
    phrase: str = ""  # what it was asked to say word by word; "" where it says what it likes
    cleared: int = 0  # characters, from the beginning of its text
    stopped: bool = False  # nothing more of it will be cleared
    _ahead: dict[int, int] = field(default_factory=dict)  # start -> end of what passed before its turn

    def passed(self, start: int, end: int) -> bool:
        """Note that the characters from `start` to `end` passed; return whether more is cleared with it."""
        if self.stopped:
            return False
        self._ahead[start] = max(end, self._ahead.get(start, 0))
        before = self.cleared
        while (starts := [one for one in self._ahead if one <= self.cleared]) != []:
            for one in starts:
                self.cleared = max(self.cleared, self._ahead.pop(one))
        return self.cleared > before

    def said(self, text: str) -> bool:
        """Compare all of its text so far with what it was asked to say; return whether more is cleared with it."""
        return bool(self.phrase) and self.phrase.startswith(text.strip()) and self.passed(0, len(text))

    def is_own(self, end: int) -> bool:
        """Whether all up to the character `end` is what we asked for word by word: no verdict counts against it."""
        return bool(self.phrase) and self.cleared >= end


class Gate:
    """The items of a call that guardrails watch over, and how often each turn was corrected."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        """`policies` are the agents'; who is not in it is `off`."""
        self._policies = policies
        self._items: dict[str, Guarded] = {}
        self.awaited: dict[str, float] = {}  # items of the caller whose answers wait -> until when
        self.owed = ""  # a phrase that is to be said
        self.warned = False  # the operator knows of speech without text
        self._owed_until_s = 0.0

    def begin(self, item_id: str, agent: str, *, phrase: str = "") -> Guarded | None:
        """Note an item of an agent, if it is new; return it, or None when nothing watches over it."""
        known = self._items.get(item_id)
        policy = self._policies.get(agent, "off")
        if known is not None or policy == "off":
            return known
        guarded = self._items[item_id] = Guarded(item_id, policy, phrase)
        while len(self._items) > MAX_REMEMBERED:
            del self._items[next(iter(self._items))]
        return guarded

    def get(self, item_id: str) -> Guarded | None:
        """Return an item, or None when nothing watches over it."""
        return self._items.get(item_id)

    def policy(self, agent: str) -> Policy:
        """Return an agent's policy."""
        return self._policies.get(agent, "off")

    # -- what waits -----------------------------------------------------------------------------------------
    def owe(self, phrase: str, now: float) -> None:
        """Have a phrase said in place of what is not, as soon as there is room for it, or not at all."""
        self.owed, self._owed_until_s = phrase, now + OWED_FOR_S

    def await_caller(self, item_id: str, now: float) -> None:
        """Hold the answer to a caller's item until its words are cleared."""
        self.awaited[item_id] = now + CALLER_WITHIN_S
        while len(self.awaited) > MAX_AWAITED:
            del self.awaited[next(iter(self.awaited))]

    def deadline(self) -> float | None:
        """Return when the first thing that waits has waited for too long, or None."""
        times = list(self.awaited.values())
        if self.owed:
            times.append(self._owed_until_s)
        return min(times, default=None)

    def overdue(self, now: float) -> list[str]:
        """Return the callers' items that were waited for in vain; forget a phrase that found no room."""
        if self.owed and now >= self._owed_until_s:
            self.owed = ""
        return [item_id for item_id, until_s in self.awaited.items() if now >= until_s]
