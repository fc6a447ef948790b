"""The counters of one leg, by name: `part.what`, with the unit in the name where it is not packets or frames."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtbridge.rtc.channel import EventChannel
    from rtbridge.rtc.ears import Ears
    from rtbridge.rtc.guard import Gate
    from rtbridge.rtc.media import MediaRoad
    from rtbridge.rtc.speaker import Speaker


def leg_counts(
    channel: EventChannel,
    gate: Gate | None,
    media: MediaRoad | None,
    ears: Ears | None,
    speaker: Speaker | None,
) -> dict[str, float]:
    """Return what the parts of a leg have counted so far; parts that do not exist yet are left out."""
    counts: dict[str, float] = {
        "channel.received": channel.received,
        "channel.sent": channel.sent,
        "channel.unsent": channel.unsent,
        "channel.undecodable": channel.undecodable,
    }
    if gate is not None:
        counts |= {f"gate.drop.{cause}": count for cause, count in gate.drops.items()}
    if speaker is not None:
        counts |= {f"speaker.{name}": count for name, count in asdict(speaker.counts).items()}
    if ears is not None:
        counts |= {f"mic.{name}": count for name, count in asdict(ears.timeline.counts).items()}
        counts |= {f"jitter.{name}": count for name, count in asdict(ears.buffer.counts).items()}
        counts |= {f"repair.{name}": count for name, count in asdict(ears.repaired).items()}
        counts["mic.samples"] = ears.timeline.samples
        counts["mic.undecodable"] = ears.undecodable
        counts["mic.wrong_payload_type"] = ears.wrong
    if media is not None:
        counts |= {f"rtp.drop.{cause}": count for cause, count in media.drops.items()}
        counts["rtp.sent"] = media.sent
        counts["rtp.unsent"] = media.unsent
        counts["rtt_ms"] = media.round_trip.ms
        counts["downlink.fraction_lost"] = media.round_trip.fraction_lost
        counts["uplink.lost"] = media.reception.lost if media.reception is not None else 0
        counts["uplink.jitter_ms"] = media.reception.jitter_ms if media.reception is not None else 0.0
    return counts
