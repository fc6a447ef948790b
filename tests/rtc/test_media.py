"""The media road with SRTP sessions that only tag: what is dropped, what is counted, what is reported."""

from __future__ import annotations

from typing import Any

import pylibsrtp
import pytest
from aiortc.rtp import RtcpByePacket, RtcpPacket, RtcpReceiverInfo, RtcpRrPacket, RtcpSenderInfo, RtcpSrPacket

from rtbridge.core.pcm import SILENT_FRAME
from rtbridge.rtc.codec import OpusEncoder
from rtbridge.rtc.ears import Ears
from rtbridge.rtc.media import MediaRoad
from rtbridge.rtc.rtp import build_rtp, ntp_of, parse_rtp

TAG = b"authentic"


class FakeSrtp:
    """pylibsrtp's Session, with a tag for a cipher."""

    def protect(self, packet: bytes) -> bytes:
        return packet + TAG

    protect_rtcp = protect

    def unprotect(self, packet: bytes) -> bytes:
        if not packet.endswith(TAG):
            raise pylibsrtp.Error("authentication failure")
        if len(packet) > 1500:
            raise ValueError("packet is too long")
        return packet[: -len(TAG)]

    unprotect_rtcp = unprotect


class Rig:
    def __init__(self, timers: Any) -> None:
        self.timers = timers
        self.heard = bytearray()
        self.out: list[bytes] = []
        self.way = True
        self.alive = 0
        self.ears = Ears(timers=timers, payload_type=111, failed=lambda error: None)
        self.ears.hear = self.heard.extend
        self.road = MediaRoad(
            ears=self.ears,
            ssrc=5,
            payload_type=111,
            clock=timers.time,
            transmit=self._transmit,
            alive=self._alive,
        )
        self.packet = OpusEncoder().encode(SILENT_FRAME)

    def _transmit(self, datagram: bytes) -> bool:
        self.out.append(datagram)
        return self.way

    def _alive(self) -> None:
        self.alive += 1

    def open(self) -> Rig:
        self.road.open(FakeSrtp(), FakeSrtp())
        return self

    def rtp(self, n: int, *, ssrc: int = 7) -> bytes:
        return build_rtp(111, False, n, n * 960, ssrc, self.packet) + TAG

    def last_reports(self) -> list[Any]:
        return RtcpPacket.parse(self.out[-1][: -len(TAG)])


def test_before_dtls_nothing_goes_either_way(timers: Any) -> None:
    rig = Rig(timers)
    rig.road.received(rig.rtp(0))
    rig.road.send(b"x", 0, True)
    rig.road.report()
    rig.road.bye()
    assert rig.out == []
    assert rig.road.drops == {"early": 1}


def test_an_authentic_packet_is_heard_and_a_sign_of_life(timers: Any) -> None:
    rig = Rig(timers).open()
    rig.road.received(rig.rtp(0))
    assert len(rig.heard) == 960
    assert rig.alive == 1


def test_what_is_not_authentic_malformed_or_another_stream_is_dropped_and_no_sign_of_life(
    timers: Any,
) -> None:
    rig = Rig(timers).open()
    rig.road.received(rig.rtp(0))
    rig.road.received(rig.rtp(1)[:-1])
    rig.road.received(b"\x80" * 1600 + TAG)
    rig.road.received(b"\xaf\x6f" + bytes(12) + TAG)
    rig.road.received(rig.rtp(1, ssrc=8))
    assert rig.road.drops["unauthenticated"] == 1
    assert rig.road.drops["malformed"] + rig.road.drops["other_ssrc"] == 3
    assert rig.alive == 1
    assert len(rig.heard) == 960


def test_a_stream_of_another_payload_type_is_not_reported_on(timers: Any) -> None:
    rig = Rig(timers).open()
    rig.road.received(build_rtp(0, False, 0, 0, 7, b"pcmu") + TAG)
    assert rig.road.reception is None
    assert rig.ears.wrong == 1


def test_packets_go_out_numbered_from_a_random_beginning(timers: Any) -> None:
    rig = Rig(timers).open()
    for n in range(3):
        rig.road.send(b"opus", n * 960, n == 0)
    first, second, third = (parse_rtp(datagram[: -len(TAG)]) for datagram in rig.out)
    assert [(p.sequence - first.sequence) & 0xFFFF for p in (first, second, third)] == [0, 1, 2]
    assert [(p.timestamp - first.timestamp) & 0xFFFFFFFF for p in (first, second, third)] == [0, 960, 1920]
    assert [p.marker for p in (first, second, third)] == [True, False, False]
    assert {p.ssrc for p in (first, second, third)} == {5}


def test_without_a_way_packets_are_counted_as_unsent(timers: Any) -> None:
    rig = Rig(timers).open()
    rig.way = False
    rig.road.send(b"opus", 0, True)
    assert (rig.road.sent, rig.road.unsent) == (0, 1)


def test_the_sender_report_maps_now_to_the_rtp_clock(timers: Any) -> None:
    rig = Rig(timers).open()
    rig.road.report()
    assert isinstance(rig.last_reports()[0], RtcpRrPacket)
    rig.road.send(b"opus", 0, True)
    stamp = parse_rtp(rig.out[-1][: -len(TAG)]).timestamp
    timers.advance(0.5)
    rig.road.received(rig.rtp(0))
    rig.road.report()
    report = rig.last_reports()[0]
    assert isinstance(report, RtcpSrPacket)
    assert report.sender_info.ntp_timestamp == ntp_of(timers.now_s)
    assert (report.sender_info.rtp_timestamp - stamp) & 0xFFFFFFFF == pytest.approx(24_000, abs=1)
    assert (report.sender_info.packet_count, report.sender_info.octet_count) == (1, 4)
    assert [block.ssrc for block in report.reports] == [7]


def test_reports_of_the_caller_give_the_round_trip_and_the_next_dlsr(timers: Any) -> None:
    rig = Rig(timers).open()
    rig.road.received(rig.rtp(0))
    sent_s = timers.now_s
    timers.advance(0.1)
    block = RtcpReceiverInfo(5, 0, 0, 0, 0, (ntp_of(sent_s) >> 16) & 0xFFFFFFFF, int(0.04 * 65_536))
    elsewhere = RtcpReceiverInfo(6, 255, 0, 0, 0, 1, 1)
    report = RtcpSrPacket(7, RtcpSenderInfo(ntp_of(9.0), 0, 0, 0), [elsewhere, block])
    stranger = RtcpSrPacket(8, RtcpSenderInfo(ntp_of(3.0), 0, 0, 0), [])
    rig.road.received(bytes(report) + bytes(stranger) + bytes(RtcpByePacket([7])) + TAG)
    assert rig.road.round_trip.ms == pytest.approx(60.0, abs=0.1)
    assert rig.alive == 2
    timers.advance(0.2)
    rig.road.report()
    heard = rig.last_reports()[0].reports[0]
    assert heard.lsr == (ntp_of(9.0) >> 16) & 0xFFFFFFFF
    assert heard.dlsr == pytest.approx(0.2 * 65_536, abs=1)


def test_bye_is_the_last_packet(timers: Any) -> None:
    rig = Rig(timers).open()
    rig.road.bye()
    assert any(isinstance(packet, RtcpByePacket) and packet.sources == [5] for packet in rig.last_reports())
    sent = len(rig.out)
    rig.road.send(b"opus", 0, True)
    rig.road.report()
    rig.road.received(rig.rtp(0))
    assert len(rig.out) == sent
