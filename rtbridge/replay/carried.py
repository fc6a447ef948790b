"""What a story says about its media, held against what the bridge counted (journal entry media.counted)."""

from __future__ import annotations

from collections.abc import Iterator

from rtbridge.replay.result import RunResult


def media_complaints(result: RunResult, notes: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (key, message) of what is wrong; what this road cannot tell goes into `notes`."""
    media, least = result.story.media, result.story.budget.delivered_pct
    if result.road == "virtual":
        if media.net is not None:
            notes.append("net: the virtual road loses nothing; play it with --wire")
        if media.codec not in (None, "opus"):
            notes.append(f"codec: the virtual road carries samples, not {media.codec}; play it with --wire")
        if least is not None:
            notes.append("delivered_pct: everything is delivered on the virtual road; play it with --wire")
        return
    if least is None:
        return
    counted = [entry.fields for entry in result.journal if entry.event == "media.counted"]
    if not counted:
        yield (
            "delivered_pct",
            "expected the bridge to tell what was delivered, the journal has no media.counted",
        )
        return
    last = counted[-1]
    if last["delivered_pct"] < least:
        yield (
            "delivered_pct",
            f"expected {least:g} % of the caller's audio to be delivered, it was {last['delivered_pct']:g} %: "
            f"{last['silent_ms']} of {last['line_ms']} ms are silence instead ({last['lost']} packets lost, "
            f"{last['late']} late; {last['fec_ms']} ms repaired, {last['concealed_ms']} ms concealed)",
        )
