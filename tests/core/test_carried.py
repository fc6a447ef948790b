"""What the journal tells of the caller's audio, from the counters of a leg."""

from __future__ import annotations

from rtbridge.core.carried import media_counted, media_told_before
from rtbridge.core.journal import CallClosed, Notice

STATS = {
    "mic.packets": 495.0,
    "mic.lost": 5.0,
    "mic.samples": 240_000.0,  # 10 s
    "mic.blank_ms": 0.0,
    "mic.excess_ms": 0.0,
    "mic.skipped_ms": 0.0,
    "jitter.late": 1.0,
    "jitter.reordered": 4.0,
    "repair.fec_ms": 60.0,
    "repair.concealed_ms": 40.0,
    "repair.faded_ms": 0.0,
    "uplink.jitter_ms": 6.25,
    "rtt_ms": 40.04,
}


def test_a_leg_without_rtp_or_before_its_first_packet_has_nothing_to_tell() -> None:
    assert media_counted({}) is None
    assert media_counted({**STATS, "mic.samples": 0.0}) is None


def test_it_is_told_at_the_end_and_not_with_every_entry() -> None:
    assert media_told_before(CallClosed("bye", 5), lambda: STATS) == media_counted(STATS)
    assert media_told_before(Notice("hm"), lambda: STATS) is None


def test_what_was_repaired_is_delivered() -> None:
    entry = media_counted(STATS)
    assert entry is not None
    assert entry.as_dict() == {
        "received": 495,
        "lost": 5,
        "late": 1,
        "reordered": 4,
        "line_ms": 10_000,
        "fec_ms": 60,
        "concealed_ms": 40,
        "silent_ms": 0,
        "delivered_pct": 100.0,
        "jitter_ms": 6.2,
        "rtt_ms": 40.0,
    }


def test_silence_in_the_place_of_speech_is_not() -> None:
    entry = media_counted({**STATS, "mic.blank_ms": 100.0, "repair.faded_ms": 100.0})
    assert entry is not None
    assert (entry.silent_ms, entry.delivered_pct) == (200, 98.0)


def test_neither_is_what_never_got_into_the_line() -> None:
    entry = media_counted({**STATS, "mic.excess_ms": 1000.0, "mic.skipped_ms": 1500.0})
    assert entry is not None
    assert (entry.silent_ms, entry.delivered_pct) == (2500, 80.0)
