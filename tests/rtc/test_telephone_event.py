"""Keys of a telephone over RTP (RFC 4733): one key an event, whatever of its packets gets lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from rtbridge.core.pcm import FRAME_SAMPLES
from rtbridge.rtc.codec import OpusEncoder
from rtbridge.rtc.ears import Ears
from rtbridge.rtc.rtp import RtpPacket, build_rtp, parse_rtp
from rtbridge.rtc.telephone_event import BLOCK, END, KEYS, KeysHeard, KeysSent, accepted, offered, rate_of

Tone = Callable[[int], bytes]
KEY_TYPE = 110


def event(
    start: int, code: int, *, duration: int = 960, end: bool = False, more: bytes = b"", sequence: int = 0
) -> RtpPacket:
    payload = BLOCK.pack(code, 10 | (END if end else 0), duration) + more
    return RtpPacket(KEY_TYPE, False, sequence, start & 0xFFFFFFFF, 1, payload)


def sent(keys: str, *, packets: int, first: int = 0, clock: int = 0) -> list[RtpPacket]:
    """Return what goes out, one packet every 20 ms, while `keys` are pressed."""
    sender = KeysSent(KEY_TYPE, 960)
    for key in keys:
        sender.press(key)
    return [
        parse_rtp(
            sender.packet(
                build_rtp(111, False, (first + n) & 0xFFFF, (clock + n * 960) & 0xFFFFFFFF, 1, b"audio")
            )
        )
        for n in range(packets)
    ]


def test_a_key_is_seven_packets_of_one_time_in_the_place_of_audio() -> None:
    packets = sent("5", packets=12, first=0xFFFD, clock=2**32 - 1000)
    assert [packet.sequence for packet in packets] == [(0xFFFD + n) & 0xFFFF for n in range(12)]
    keyed = [packet for packet in packets if packet.payload_type == KEY_TYPE]
    assert packets[:7] == keyed
    assert {packet.timestamp for packet in keyed} == {2**32 - 1000}
    assert [packet.marker for packet in keyed] == [True] + 6 * [False]
    blocks = [BLOCK.unpack(packet.payload) for packet in keyed]
    assert [code for code, _, _ in blocks] == [5] * 7
    assert [duration for _, _, duration in blocks] == [960, 1920, 2880, 3840, 4800, 4800, 4800]
    assert [bool(flags & END) for _, flags, _ in blocks] == 4 * [False] + 3 * [True]
    assert all(packet.payload == b"audio" for packet in packets[7:])


def test_header_extensions_stay_where_they_are_and_rtcp_is_left_alone() -> None:
    sender = KeysSent(KEY_TYPE, 160)
    sender.press("#")
    extended = bytes.fromhex("90e0000100000002000000030bede0001100000040") + b"\x00" * 3 + b"audio"
    # One word of extension: profile, length 1, then four bytes.
    whole = extended[:12] + bytes.fromhex("bede000110ff0000") + b"audio"
    keyed = sender.packet(whole)
    assert keyed[12:20] == whole[12:20]
    assert parse_rtp(keyed).payload == BLOCK.pack(11, 10, 160)
    report = bytes.fromhex("80c80001") + bytes(24)
    assert sender.packet(report) == report
    assert sender.packet(b"\x80") == b"\x80"
    with pytest.raises(ValueError, match="substring not found"):
        sender.press("x")


def test_every_key_is_heard_once_whatever_is_lost_of_it() -> None:
    chance = random.Random(9)
    for _ in range(300):
        keys = "".join(chance.choice(KEYS) for _ in range(chance.randrange(1, 12)))
        packets = [p for p in sent(keys, packets=10 * len(keys), clock=chance.randrange(2**32))]
        heard, hearing, survivors = "", KeysHeard(), 0
        for n in range(len(keys)):
            own = [p for p in packets[10 * n : 10 * n + 10] if p.payload_type == KEY_TYPE]
            kept = chance.sample(range(7), chance.randrange(1, 8))
            survivors += len(kept)
            for place in sorted(kept):
                heard += hearing.take(own[place])
        assert heard == keys, survivors


def test_a_key_that_is_held_for_three_seconds_is_one_key() -> None:
    hearing = KeysHeard()
    segments = [event(1000, 7, duration=0xFFFF), event(1000 + 0xFFFF, 7, duration=5000)]
    segments += [event(1000 + 2 * 0xFFFF, 7, duration=960, end=True)] * 3
    assert "".join(hearing.take(packet) for packet in segments) == "7"
    assert hearing.take(event(1000 + 3 * 0xFFFF, 7)) == "7", "the one before had ended"


def test_the_same_key_twice_is_two_keys() -> None:
    hearing = KeysHeard()
    assert hearing.take(event(0, 1, end=True)) + hearing.take(event(9600, 1, end=True)) == "11"


def test_a_packet_of_an_earlier_key_that_comes_late_is_not_that_key_again() -> None:
    hearing = KeysHeard()
    assert hearing.take(event(0, 1)) + hearing.take(event(9600, 2)) == "12"
    assert hearing.take(event(0, 1, end=True)) == ""
    assert hearing.take(event(9600, 2)) == ""


def test_two_events_in_one_packet_follow_each_other() -> None:
    hearing = KeysHeard()
    assert hearing.take(event(0, 1, duration=960, end=True, more=BLOCK.pack(2, 10, 480))) == "12"
    assert hearing.take(event(960, 2, duration=960)) == ""


def test_what_is_no_key_or_no_event_is_not_heard() -> None:
    hearing = KeysHeard()
    assert hearing.take(event(0, 16)) == "", "flash"
    assert hearing.take(RtpPacket(KEY_TYPE, False, 0, 1, 1, b"")) == ""
    assert hearing.take(RtpPacket(KEY_TYPE, False, 0, 1, 1, b"abc")) == ""
    assert hearing.malformed == 2


@pytest.mark.parametrize(
    ("rtpmap", "rate"),
    [
        ("telephone-event/8000", 8000),
        ("Telephone-Event/48000/1", 48_000),
        ("opus/48000/2", None),
        (None, None),
        ("telephone-event", None),
    ],
)
def test_telephone_events_are_known_by_name(rtpmap: str | None, rate: int | None) -> None:
    assert rate_of(rtpmap) == rate


def test_an_offer_gets_both_clocks_at_the_end_of_its_audio_section() -> None:
    sdp = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96 0\r\na=rtpmap:96 opus/48000/2\r\nm=application 9 x y\r\na=mid:1\r\n"
    lines = offered(sdp).split("\r\n")
    assert lines[1:6] == [
        "m=audio 9 UDP/TLS/RTP/SAVPF 96 0 110 126",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
        "m=application 9 x y",
    ]
    assert accepted(offered(sdp)) == 110
    assert accepted(sdp) is None


class Rig:
    """Ears that take telephone-events."""

    def __init__(self, timers: Any, pull: Tone) -> None:
        self.timers = timers
        self.encoder = OpusEncoder()
        self.pull = pull
        self.keys: list[str] = []
        self.heard = bytearray()
        self.ears = Ears(
            timers=timers, payload_type=111, failed=self.fail, key_type=KEY_TYPE, pressed=self.keys.append
        )
        self.ears.hear = self.heard.extend

    def fail(self, error: Exception) -> None:
        raise error

    def stream(self, keys: str, packets: int, lost: set[int]) -> None:
        """Let a caller say `packets` of 20 ms, pressing keys from the tenth on."""
        sender = KeysSent(KEY_TYPE, 960)
        for n in range(packets):
            if n == 10:
                for key in keys:
                    sender.press(key)
            audio = self.encoder.encode(self.pull(FRAME_SAMPLES))
            packet = parse_rtp(sender.packet(build_rtp(111, False, n, n * 960, 1, audio)))
            if n not in lost:
                self.ears.packet(packet, self.timers.now_s)
            self.timers.advance(0.02)
        self.timers.advance(0.1)


def test_keys_leave_the_stream_in_their_place_and_their_time_is_silence(
    timers: Any, make_tone: Callable[..., Tone]
) -> None:
    rig = Rig(timers, make_tone(440))
    rig.stream("12#", 100, lost=set())
    assert rig.keys == ["1", "2", "#"]
    counts = rig.ears.timeline.counts
    assert (counts.lost, counts.blank_ms, counts.beside) == (0, 0, 21)
    assert counts.silence_ms == 3 * 7 * 20 + counts.owed_ms
    assert rig.ears.wrong == 0
    rig.ears.stop()


def test_two_of_three_packets_lost_leave_every_key(timers: Any, make_tone: Callable[..., Tone]) -> None:
    rig = Rig(timers, make_tone(440))
    rig.stream("3141592653", 130, lost={n for n in range(11, 128) if n % 3})
    assert "".join(rig.keys) == "3141592653"
    rig.ears.stop()


def test_a_stream_that_begins_with_a_key_is_no_silence_of_the_years_before(
    timers: Any, make_tone: Callable[..., Tone]
) -> None:
    rig = Rig(timers, make_tone(440))
    rig.ears.packet(event(0, 4, sequence=7), timers.now_s)
    timers.advance(2.0)
    assert (rig.keys, len(rig.heard), timers.pending) == (["4"], 0, 0)


def test_whatever_bytes_come_as_events_are_heard_as_keys_or_not_at_all(
    timers: Any, make_tone: Callable[..., Tone]
) -> None:
    chance, rig = random.Random(5), Rig(timers, make_tone(440))
    for n in range(2000):
        payload = chance.randbytes(chance.randrange(0, 40))
        start = chance.randrange(2**32) if n % 3 else n * 960
        rig.ears.packet(RtpPacket(KEY_TYPE, False, n & 0xFFFF, start, 1, payload), timers.now_s)
    assert 0 < len(rig.keys) < 20_000
    assert set(rig.keys) <= set(KEYS)
    rig.stream("1", 40, lost=set())
    assert rig.ears.keys.malformed > 0
    rig.ears.stop()
