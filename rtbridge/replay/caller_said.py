"""What the upstream took the caller to say: spoken, typed and pressed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rtbridge.core import pcm
from rtbridge.core.dtmf import PRESSED
from rtbridge.replay.result import RunResult
from rtbridge.replay.script import Played


def caller_said_in(result: RunResult) -> tuple[tuple[int, str], ...]:
    """Return what was understood of the caller; over the wire from the stock events, typed turns as typed."""
    logged = [
        (entry.at_ms, str(entry.fields["text"])) for entry in result.journal if entry.event == "caller.said"
    ]
    if logged:
        return tuple(logged)
    spoken = [
        (m.at_ms, str(m.event.get("transcript") or ""))
        for m in result.messages
        if m.event.get("type") == "conversation.item.input_audio_transcription.completed"
    ]
    typed = [(round(_ms(p.start)), p.turn.typed) for p in result.played if p.turn.typed]
    added = [(m.at_ms, m.event) for m in result.messages if m.event.get("type") == "conversation.item.added"]
    pressed = [(at_ms, text) for at_ms, event in added if (text := _written(event)).startswith(PRESSED)]
    return tuple(sorted([*spoken, *typed, *pressed]))


def _written(event: Mapping[str, Any]) -> str:
    """Return the written words of an item of the caller."""
    parts = (event.get("item") or {}).get("content") or ()
    return " ".join(str(part["text"]) for part in parts if part.get("type") == "input_text")


def understood_in(played: Played, turns: Sequence[Played], said: Sequence[tuple[int, str]]) -> str:
    """Return what the upstream took the caller to say in one turn, and until the next one begins."""
    begins = [_ms(other.start) for other in turns if other.start > played.start]
    until_ms = min(begins, default=float("inf"))
    return " ".join(text for at_ms, text in said if _ms(played.start) <= at_ms < until_ms)


def _ms(samples: int) -> float:
    return round(samples * 1000 / pcm.RATE, 1)
