"""Two witnesses of one call: the recordings, which know nothing of us, and the journal, which is ours.

They must tell the same within 40 ms, or the run fails, whatever the story expects: a bridge whose own telemetry is
wrong is not worth watching. On the virtual road the item's audio is known, and its place in the recording is found
to the sample. Over the wire it is not, and sound takes a while each way: there what is compared is latencies, to
which the road may add what it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from rtbridge.core import pcm
from rtbridge.replay.alignment import place_of
from rtbridge.replay.evidence import Heard, Seen, SeenTurn
from rtbridge.replay.failure import Failure, Verdict
from rtbridge.replay.hearing import audible_span, bursts_of
from rtbridge.replay.result import RunResult

TOLERANCE_MS: Final = 40.0
# Over the wire the road there and back, and the receiver at its end, take a while, on a busy machine or a bad network
# up to this.
WIRE_MS: Final = 700.0
LEAST_MS: Final = 60  # what is shorter is a click to the ears


def witnessed(verdict: Verdict, result: RunResult, seen: Seen) -> Verdict:
    """Return the verdict with every disagreement of the two witnesses as a failure."""
    return replace(verdict, failures=(*verdict.failures, *disagreements(result, seen)))


def disagreements(result: RunResult, seen: Seen) -> Iterator[Failure]:
    """Yield every point on which the two witnesses disagree."""
    for turn in seen.turns:
        yield from _latency(result, turn)
    yield from _sound_without_item(result, seen.items)
    for item in seen.items:
        yield from _place(result, item)


def _latency(result: RunResult, turn: SeenTurn) -> Iterator[Failure]:
    told = (turn.journal or {}).get("respond_ms")
    if told is None or turn.respond_ms is None or turn.played.turn.sound is None:
        return
    off = turn.respond_ms - float(told)
    most = TOLERANCE_MS + (0.0 if result.road == "virtual" else WIRE_MS)
    if not -TOLERANCE_MS <= off <= most:
        message = f"the recording has an answer after {turn.respond_ms:g} ms, the journal after {told} ms"
        yield Failure(turn.played.turn.id, "witnesses", f"the two witnesses disagree: {message}")


def _place(result: RunResult, item: Heard) -> Iterator[Failure]:
    """Compare where an item was played, and how much of it, with where the recording has it."""
    made = result.made.get(item.item_id)
    if made is None or item.heard_ms < LEAST_MS:
        return
    start = place_of(result.heard, made, since=pcm.samples_of_ms(max(0.0, item.start_ms - 500)))
    if start is None:
        if audible_span(made).start < pcm.samples_of_ms(item.heard_ms) - pcm.samples_of_ms(LEAST_MS):
            yield _about(
                item, f"the journal has {item.heard_ms} ms of it heard, the recording has none of it"
            )
        return
    off_ms = start * 1000 / pcm.RATE - item.start_ms
    if abs(off_ms) > TOLERANCE_MS:
        yield _about(
            item, f"the recording has it {abs(off_ms):.0f} ms {'later' if off_ms > 0 else 'earlier'}"
        )


def _sound_without_item(result: RunResult, items: Sequence[Heard]) -> Iterator[Failure]:
    slack_ms = TOLERANCE_MS + (0.0 if result.road == "virtual" else WIRE_MS)
    spans = sorted((item.start_ms - slack_ms, item.end_ms + slack_ms) for item in items)
    for burst in bursts_of(result.heard):
        start_ms, end_ms = burst.start * 1000 / pcm.RATE, burst.end * 1000 / pcm.RATE
        for low, high in spans:
            if low <= start_ms <= high:
                start_ms = max(start_ms, high)
        if end_ms - start_ms > LEAST_MS:
            sound = f"sound from {start_ms / 1000:.2f} to {end_ms / 1000:.2f} s"
            message = f"the two witnesses disagree: the recording has {sound}, the journal has no item then"
            yield Failure(None, "witnesses", message)


def _about(item: Heard, message: str) -> Failure:
    where = f"item {item.item_id} at {item.start_ms / 1000:.2f} s"
    return Failure(None, "witnesses", f"the two witnesses disagree on {where}: {message}")
