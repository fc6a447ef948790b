"""An expectation that did not come true, and how a story went."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that did not come true. `turn` is None where it is about the whole call."""

    turn: str | None
    what: str  # the expectation's key
    message: str

    def __str__(self) -> str:
        return self.message if self.turn is None else f'turn "{self.turn}": {self.message}'


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a story went."""

    failures: tuple[Failure, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Say whether every expectation came true."""
        return not self.failures
