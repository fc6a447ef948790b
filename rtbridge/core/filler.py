"""Filler: a word from the agent while a tool takes its time, so that no wait is longer than a breath.

The upstream is asked for it as a response beside the conversation (event response.create with conversation "none"
and no tools): the model never reads it back, and nothing of it is truncated or deleted. It is said when somebody
waits for a tool and has heard nothing for 1.2 s, again and again, never twice the same words in a row. It makes way:
a result that comes before its first sample drops it, and the answer's first sound ends it at a word's end.
"""

from __future__ import annotations

from collections.abc import Sequence

AFTER_S = 1.2  # of silence in a wait
CAUSE = "filler"

PHRASES = (
    "One moment, please.",
    "Let me check.",
    "I'm looking into it.",
    "Just a second.",
    "Still with you.",
    "It won't be long.",
)


class Filler:
    """When to say something, and what."""

    def __init__(self, phrases: Sequence[str] = PHRASES) -> None:
        """`phrases` are the scenario's; with none the agent waits in silence."""
        self._phrases = tuple(phrases)
        self._next = 0
        self._quiet_since_s = 0.0

    def heard(self, now: float) -> None:
        """Note that the agent, or a filler, was heard until now."""
        self._quiet_since_s = now

    def due(self, waiting_since_s: float) -> float | None:
        """Return when the next one is due in a wait that began then; None when there is nothing to say."""
        return max(waiting_since_s, self._quiet_since_s) + AFTER_S if self._phrases else None

    def take(self, now: float) -> str:
        """Return what to say now; the next is due after as long a silence again."""
        self.heard(now)
        phrase = self._phrases[self._next % len(self._phrases)]
        self._next += 1
        return phrase


def words_for(phrase: str) -> str:
    """Return the instructions that make a model say `phrase` and nothing else."""
    return f'Say exactly this and nothing else: "{phrase}"'
