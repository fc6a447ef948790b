"""Which intent an utterance means: nearest examples, with a margin over what is none of them.

Only what can be meant in the present state competes. An intent's likeness is that of its best example,
steadied by its second best. The utterance is understood when the best intent is alike enough, and more so
than every example of things that are none; otherwise it is honest to say that it was not understood.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbridge.engine.brain_file import Agent, Intent
from rtbridge.engine.heard import plain
from rtbridge.engine.meaning import Float32, Meaning

FLOOR: Final = 0.4
FLOOR_BY_LETTERS: Final = 0.34  # without a model of meaning
MARGIN: Final = 0.0
BEST_SHARE: Final = 0.8

# What people say to any machine and no scenario means.
NONE: Final = (
    "what is the weather like today", "who won the game last night", "what time is it in Tokyo",
    "play some music", "set an alarm for seven", "how old are you", "what is the capital of France",
    "call my mother", "turn off the lights", "how do I bake bread", "tell me the news",
    "the cat sat on the mat and then", "I was just talking to my wife", "my car is parked outside",
    "what's two plus two", "translate this into Spanish", "order me a pizza",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Match:
    """What an utterance is likest."""

    intent: Intent | None  # None: nothing that can be meant now
    likeness: float
    margin: float  # over what is none


class Matcher:
    """The intents of one agent. Thread-safe; the examples' vectors are made at first use."""

    def __init__(self, agent: Agent, meaning: Meaning) -> None:
        self._intents = agent.intents
        self._none = (*NONE, *agent.none)
        self._meaning = meaning
        self._lock = threading.Lock()
        self._vectors: tuple[list[Float32], Float32] | None = None
        self._floor = FLOOR if meaning.knows_meaning else FLOOR_BY_LETTERS

    def examples(self) -> Iterator[str]:
        """Yield all examples, for warming up."""
        for intent in self._intents:
            yield from intent.examples
        yield from self._none

    def match(self, text: str, state: str) -> Match:
        """Return what `text` means in `state`."""
        known, none = self._ready()
        if not plain(text):
            return Match(None, 0.0, 0.0)
        vector = self._meaning.vector(text)
        best: Match = Match(None, 0.0, 0.0)
        against = float((none @ vector).max())
        for intent, examples in zip(self._intents, known, strict=True):
            if not len(examples) or (intent.states and state not in intent.states):
                continue
            near = np.sort(examples @ vector)[-2:]
            likeness = float(BEST_SHARE * near[-1] + (1 - BEST_SHARE) * near[0])
            if likeness > best.likeness:
                best = Match(intent, likeness, likeness - against)
        if best.likeness < self._floor or best.margin < MARGIN:
            return Match(None, best.likeness, best.margin)
        return best

    def _ready(self) -> tuple[list[Float32], Float32]:
        with self._lock:
            if self._vectors is None:
                empty = np.zeros((0, 1), np.float32)
                known = [
                    self._meaning.vectors(intent.examples) if intent.examples else empty
                    for intent in self._intents
                ]
                self._vectors = (known, self._meaning.vectors(self._none))
            return self._vectors
