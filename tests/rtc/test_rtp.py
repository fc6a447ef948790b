"""RTP headers, reception statistics and reports, against RFC 3550's own arithmetic and aiortc's parser."""

from __future__ import annotations

import random

import pytest
from aiortc.rtp import (
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
)
from aiortc.rtp import RtpPacket as StockPacket

from rtbridge.rtc.rtp import Reception, RoundTrip, build_reports, build_rtp, is_rtcp, ntp_of, parse_rtp


def test_a_packet_is_built_and_parsed_as_aiortc_does() -> None:
    data = build_rtp(111, True, 65_535, 0xFFFFFFFF, 7, b"opus")
    stock = StockPacket.parse(data)
    assert (stock.payload_type, stock.marker, stock.sequence_number, stock.timestamp, stock.ssrc, stock.payload) == (
        111, 1, 65_535, 0xFFFFFFFF, 7, b"opus",
    )  # fmt: skip
    packet = parse_rtp(data)
    assert (packet.payload_type, packet.marker, packet.sequence) == (111, True, 65_535)
    assert (packet.timestamp, packet.ssrc, packet.payload) == (0xFFFFFFFF, 7, b"opus")
    assert not is_rtcp(data)


def test_extensions_sources_and_padding_are_skipped() -> None:
    header = bytes([0x80 | 0x20 | 0x10 | 2, 111]) + bytes(10)
    data = header + bytes(8) + b"\xbe\xde\x00\x01abcd" + b"payload" + b"\x00\x00\x03"
    assert parse_rtp(data).payload == b"payload"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (bytes(11), "shorter than its header"),
        (bytes(12), "version 0"),
        (b"\x90" + bytes(11), "extension"),
        (b"\x90" + bytes(11) + b"\xbe\xde\xff\xff", "longer than the packet"),
        (b"\xa0" + bytes(20), "padding of no bytes"),
        (b"\xa0" + bytes(11) + b"\xff", "longer than the packet"),
        (b"\x8f" + bytes(11), "longer than the packet"),
    ],
)
def test_a_broken_packet_says_what_is_wrong(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_rtp(data)


def test_random_bytes_parse_or_raise_value_error() -> None:
    chance = random.Random(1)
    for _ in range(2000):
        data = bytes([chance.choice((0x80, 0x90, 0xA0, 0xBF))]) + chance.randbytes(chance.randrange(40))
        try:
            assert len(parse_rtp(data).payload) <= len(data) - 12
        except ValueError:
            continue


def test_loss_is_counted_in_all_and_since_the_last_report() -> None:
    reception = Reception(7, 48_000)
    for n in range(100):
        if n % 4 != 3 or n == 99:
            reception.add((65_500 + n) & 0xFFFF, n * 960, n * 0.02)
    report = reception.report(2.0)
    assert report.packets_lost == reception.lost == 24
    assert report.fraction_lost == (24 << 8) // 100
    assert report.highest_sequence == 65_599
    again = reception.report(3.0)
    assert (again.fraction_lost, again.packets_lost) == (0, 24)


def test_packets_out_of_order_are_no_loss() -> None:
    reception = Reception(7, 48_000)
    for n in (0, 2, 1, 4, 3):
        reception.add(n, n * 960, n * 0.02)
    assert reception.lost == 0
    assert reception.report(1.0).highest_sequence == 4


def test_a_stream_of_which_nothing_came_is_reported_as_nothing() -> None:
    report = Reception(7, 48_000).report(1.0)
    assert (report.packets_lost, report.fraction_lost, report.jitter, report.lsr) == (0, 0, 0, 0)


def test_jitter_is_zero_on_time_and_grows_with_it_even_over_the_timestamps_wrap() -> None:
    on_time, late = Reception(7, 48_000), Reception(7, 48_000)
    for n in range(500):
        stamp = (0xFFFFFFFF - 100 * 960 + n * 960) & 0xFFFFFFFF
        on_time.add(n, stamp, n * 0.02)
        late.add(n, stamp, n * 0.02 + (0.010 if n % 2 else 0.0))
    assert on_time.jitter_ms == pytest.approx(0.0, abs=0.001)
    assert late.jitter_ms == pytest.approx(10.0, abs=0.5)


def test_a_report_carries_the_last_sender_report_and_how_long_ago_it_was() -> None:
    reception = Reception(7, 48_000)
    reception.add(0, 0, 0.0)
    reception.sender_report_came(0x1122334455667788, 10.0)
    report = reception.report(12.5)
    assert (report.lsr, report.dlsr) == (0x33445566, int(2.5 * 65_536))


def test_the_round_trip_is_what_is_left_after_the_far_ends_delay() -> None:
    trip = RoundTrip()

    def report(sent_s: float, held_s: float) -> RtcpReceiverInfo:
        return RtcpReceiverInfo(7, 64, 0, 0, 0, (ntp_of(sent_s) >> 16) & 0xFFFFFFFF, int(held_s * 65_536))

    trip.report_came(report(100.0, 0.5), 100.58)
    assert trip.ms == pytest.approx(80.0, abs=0.1)
    assert trip.fraction_lost == 0.25
    trip.report_came(report(101.0, 0.5), 101.66)
    assert trip.ms == pytest.approx(90.0, abs=0.1)
    trip.report_came(report(102.0, 0.5), 102.4999)  # two clocks' rounding
    assert trip.ms == pytest.approx(78.75, abs=0.1)
    trip.report_came(report(0.0, 0.5), 500.0)  # invented
    trip.report_came(RtcpReceiverInfo(7, 0, 0, 0, 0, 0, 0), 103.0)  # before our first sender report
    assert trip.ms == pytest.approx(78.75, abs=0.1)


@pytest.mark.parametrize("sending", [True, False])
def test_reports_are_a_compound_that_aiortc_reads(sending: bool) -> None:
    sent = RtcpSenderInfo(ntp_of(1.5), 960, 10, 1000) if sending else None
    data = build_reports(ssrc=5, cname="abc", sent=sent, heard=Reception(7, 48_000).report(0.0))
    assert is_rtcp(data)
    first, sdes = RtcpPacket.parse(data)
    assert isinstance(first, RtcpSrPacket if sending else RtcpRrPacket)
    assert [report.ssrc for report in first.reports] == [7]
    assert isinstance(sdes, RtcpSdesPacket)
    assert sdes.chunks[0].items == [(1, b"abc")]


def test_reports_without_anything_heard_are_whole_too() -> None:
    (first, _) = RtcpPacket.parse(build_reports(ssrc=5, cname="abc", sent=None, heard=None))
    assert isinstance(first, RtcpRrPacket)
    assert first.reports == []
