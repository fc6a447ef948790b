"""RTP and RTCP as far as one audio stream each way needs them: headers, reception statistics, reports. Sans-IO.

Our own, because aiortc's receiver and sender bring a decoder thread, an executor hop and two tasks a call, and
keep time by the wall clock. Times here are monotonic seconds: RFC 3550 §4 allows any clock that counts on for the
NTP field, and only differences of it are ever used.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from aiortc.rtp import (
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
)

HEADER: Final = struct.Struct("!BBHLL")
SDES_CNAME: Final = 1  # RFC 3550 §6.5.1
RTT_ALPHA: Final = 0.125  # RFC 6298 §2's gain: a report every few seconds should soon be believed


def is_rtcp(datagram: bytes) -> bool:
    """Tell RTCP from RTP on one port (RFC 5761 §4: the second byte is 192-223 for RTCP)."""
    return 192 <= datagram[1] <= 223


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet (RFC 3550 §5.1), its extensions and CSRCs left out."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse_rtp(data: bytes) -> RtpPacket:
    """Parse one unprotected RTP packet. Raises ValueError saying what is wrong with it."""
    if len(data) < HEADER.size:
        raise ValueError(f"an RTP packet of {len(data)} bytes is shorter than its header")
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first >> 6 != 2:
        raise ValueError(f"RTP version {first >> 6} is not 2")
    start = HEADER.size + 4 * (first & 0x0F)
    end = len(data)
    if first & 0x10:  # RFC 3550 §5.3.1: a profile word, a length in words, then the extension
        if end < start + 4:
            raise ValueError("an RTP header extension is cut short")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:
        end -= data[-1]
        if data[-1] == 0:
            raise ValueError("RTP padding of no bytes")
    if end < start:
        raise ValueError("an RTP packet's header and padding are longer than the packet")
    return RtpPacket(second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, data[start:end])


def build_rtp(
    payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int, payload: bytes
) -> bytes:
    """Return one RTP packet without extensions."""
    return HEADER.pack(0x80, payload_type | (0x80 if marker else 0), sequence, timestamp, ssrc) + payload


def ntp_of(now_s: float) -> int:
    """Return a monotonic time as a 64-bit NTP timestamp (RFC 3550 §4)."""
    return int(now_s * 4294967296.0) & 0xFFFFFFFFFFFFFFFF


class Reception:
    """What a receiver report says about one incoming stream (RFC 3550 §6.4.1, A.1, A.3 and A.8)."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.received = 0
        self._clock_rate = clock_rate
        self._base: int | None = None  # extended sequence numbers
        self._highest = 0
        self._jitter = 0.0  # RTP ticks
        self._transit: float | None = None
        self._expected_prior = 0
        self._received_prior = 0
        self._sender_report: tuple[int, float] | None = None  # middle 32 bits of its NTP time, when it came

    def add(self, sequence: int, timestamp: int, now_s: float) -> None:
        """Count one authenticated packet of audio."""
        transit = now_s * self._clock_rate - timestamp
        if self._transit is not None:
            # A.8, with the timestamp's wrap taken out of the difference.
            moved = transit - self._transit
            moved -= round(moved / 4294967296.0) * 4294967296.0
            self._jitter += (abs(moved) - self._jitter) / 16.0
        self._transit = transit
        self.count(sequence)

    def count(self, sequence: int) -> None:
        """Count one authenticated packet whose timestamp is not when it was sent: a telephone-event."""
        if self._base is None:
            self._base = self._highest = sequence
        else:
            self._highest += max(0, ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000)
        self.received += 1

    def sender_report_came(self, ntp: int, now_s: float) -> None:
        """Note a sender report's NTP time (64 bits), for LSR and DLSR."""
        self._sender_report = ((ntp >> 16) & 0xFFFFFFFF, now_s)

    @property
    def lost(self) -> int:
        """Cumulative packets lost; negative with duplicates (A.3)."""
        if self._base is None:
            return 0
        return self._highest - self._base + 1 - self.received

    @property
    def jitter_ms(self) -> float:
        """The interarrival jitter (A.8)."""
        return self._jitter * 1000.0 / self._clock_rate

    def report(self, now_s: float) -> RtcpReceiverInfo:
        """Return the report block since the last one."""
        expected = 0 if self._base is None else self._highest - self._base + 1
        interval, lost = expected - self._expected_prior, 0
        if interval > 0:
            lost = max(0, interval - (self.received - self._received_prior))
        self._expected_prior, self._received_prior = expected, self.received
        lsr, dlsr = 0, 0
        if self._sender_report is not None:
            lsr, came_s = self._sender_report
            dlsr = min(int((now_s - came_s) * 65536.0), 0xFFFFFFFF)
        return RtcpReceiverInfo(
            ssrc=self.ssrc,
            fraction_lost=min((lost << 8) // interval, 255) if interval > 0 else 0,
            packets_lost=max(-0x800000, min(self.lost, 0x7FFFFF)),
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=int(self._jitter) & 0xFFFFFFFF,
            lsr=lsr,
            dlsr=dlsr,
        )


class RoundTrip:
    """The round trip by the other side's report blocks (RFC 3550 §6.4.1: A - LSR - DLSR), smoothed."""

    def __init__(self) -> None:
        self.ms = 0.0  # 0 until one report came
        self.fraction_lost = 0.0  # of what we sent, by the last report

    def report_came(self, report: RtcpReceiverInfo, now_s: float) -> None:
        """Take one report block about our stream."""
        self.fraction_lost = report.fraction_lost / 256.0
        if report.lsr == 0:
            return  # no sender report of ours had come yet
        ticks = (((ntp_of(now_s) >> 16) & 0xFFFFFFFF) - report.lsr - report.dlsr) & 0xFFFFFFFF
        if ticks >= 0x80000000:
            ticks = 0  # rounding of two clocks, on a very short road
        if ticks > 60 * 65536:
            return  # not a round trip: a report of another life, or an invented one
        sample_ms = ticks * 1000.0 / 65536.0
        self.ms = sample_ms if self.ms == 0.0 else self.ms + RTT_ALPHA * (sample_ms - self.ms)


def build_reports(
    *,
    ssrc: int,
    cname: str,
    sent: RtcpSenderInfo | None,
    heard: RtcpReceiverInfo | None,
) -> bytes:
    """Return a compound RTCP packet: SR or RR first, then SDES with the CNAME (RFC 3550 §6.1)."""
    reports = [] if heard is None else [heard]
    first = (
        RtcpRrPacket(ssrc=ssrc, reports=reports)
        if sent is None
        else RtcpSrPacket(ssrc=ssrc, sender_info=sent, reports=reports)
    )
    source = RtcpSourceInfo(ssrc=ssrc, items=[(SDES_CNAME, cname.encode())])
    return bytes(first) + bytes(RtcpSdesPacket(chunks=[source]))
