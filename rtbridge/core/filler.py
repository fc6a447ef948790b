"""Filler: a word from the agent while a tool takes its time, so that no wait is longer than a breath.

The upstream is asked for it as a response beside the conversation (event response.create with conversation "none"
and no tools): the model never reads it back, and nothing of it is truncated or deleted. It is said when somebody
waits for a tool and has heard nothing for 1.2 s, again and again, never twice the same words in a row. It makes way:
a result that comes before its first sample drops it, and the answer's first sound ends it at a word's end.

A wait for a person's approval is long, and the caller may as well talk meanwhile: it has words of its own, which say
what is waited for, and after the first of them longer pauses.
"""

from __future__ import annotations

from collections.abc import Sequence

AFTER_S = 1.2  # of silence in a wait
PATIENT_AFTER_S = 1.8  # ... for a person, once the caller knows
CAUSE = "filler"

PHRASES = (
    "One moment, please.",
    "Let me check.",
    "I'm looking into it.",
    "Just a second.",
    "Still with you.",
    "It won't be long.",
)
APPROVAL_PHRASES = (
    "I need a go-ahead for that, one moment please.",
    "I'm waiting for the go-ahead.",
    "Thank you for your patience.",
    "It still needs a yes on our side.",
    "I'm still here with you.",
    "As soon as I have the go-ahead, I'll do it.",
)


class Filler:
    """When to say something, and what. `patient` is a wait for a person."""

    def __init__(self, phrases: Sequence[str] = PHRASES, patient: Sequence[str] = APPROVAL_PHRASES) -> None:
        """`phrases` and those of `patient` waits are the scenario's; with none the agent waits in silence."""
        self._phrases = {False: tuple(phrases), True: tuple(patient)}
        self._next = {False: 0, True: 0}
        self._last = ""
        self._quiet_since_s = 0.0
        self._told_s = 0.0  # when the caller was last told that a person is waited for

    def heard(self, now: float) -> None:
        """Note that the agent, or a filler, was heard until now."""
        self._quiet_since_s = now

    def due(self, waiting_since_s: float, *, patient: bool = False) -> float | None:
        """Return when the next one is due in a wait that began then; None when there is nothing to say."""
        if not self._phrases[patient]:
            return None
        known = patient and self._told_s >= waiting_since_s
        return max(waiting_since_s, self._quiet_since_s) + (PATIENT_AFTER_S if known else AFTER_S)

    def take(self, now: float, *, patient: bool = False) -> str:
        """Return what to say now; the next is due after as long a silence again."""
        self.heard(now)
        if patient:
            self._told_s = now
        phrase = self._turn(patient)
        if phrase == self._last:  # the lists may share a phrase, and each goes round by itself
            phrase = self._turn(patient)
        self._last = phrase
        return phrase

    def _turn(self, patient: bool) -> str:
        phrases = self._phrases[patient]
        at = self._next[patient]
        self._next[patient] = at + 1
        return phrases[at % len(phrases)]


def words_for(phrase: str) -> str:
    """Return the instructions that make a model say `phrase` and nothing else."""
    return f'Say exactly this and nothing else: "{phrase}"'
