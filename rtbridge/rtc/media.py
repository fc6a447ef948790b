"""The media road of one peer: SRTP both ways, RTCP both ways, between the socket and ears and speaker.

aiortc does the DTLS handshake and hands over its SRTP sessions; from there on, an incoming packet is unprotected,
counted and heard within the socket's own callback, and an outgoing one is protected and sent within the speaker's
timer. Reports go out once a second (RFC 3550 §6.2's minimum is 5 s for large sessions; libwebrtc reads its FEC rate
and we read the round trip from them, so sooner is better, and one a second is 0.1 % of the bandwidth).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

import pylibsrtp
from aiortc.rtp import AnyRtcpPacket, RtcpByePacket, RtcpPacket, RtcpRrPacket, RtcpSenderInfo, RtcpSrPacket

from rtbridge.rtc.ears import Ears
from rtbridge.rtc.rtp import Reception, RoundTrip, build_reports, build_rtp, is_rtcp, ntp_of, parse_rtp


class MediaRoad:
    """Packets of one call. `clock` is monotonic; `transmit` sends a datagram and tells whether there was a way."""

    def __init__(
        self,
        *,
        ears: Ears,
        ssrc: int,
        payload_type: int,
        clock: Callable[[], float],
        transmit: Callable[[bytes], bool],
        alive: Callable[[], None],
        clock_rate: int = 48_000,
        key_type: int | None = None,
    ) -> None:
        """`clock_rate` is of RTP timestamps, both ways. `alive` is told of every authenticated packet.

        `key_type` is the payload type of telephone-events, which are packets of the same stream.
        """
        self._ears = ears
        self._ssrc = ssrc
        self._payload_type = payload_type
        self._key_type = key_type
        self._clock = clock
        self._transmit = transmit
        self._alive = alive
        self._clock_rate = clock_rate
        self._rx: Any = None  # pylibsrtp.Session
        self._tx: Any = None
        # RFC 3550 §5.1 wants random beginnings; the lower half, so that the first wrap is not lost on SRTP's index.
        self._sequence = secrets.randbelow(0x8000)
        self._ticks = secrets.randbelow(0x100000000)
        self._sent_octets = 0
        self._last_sent = (0.0, 0)  # when, RTP timestamp
        self.cname = secrets.token_hex(8)  # RFC 7022 §4.2: per session, says nothing
        self.reception: Reception | None = None
        self.round_trip = RoundTrip()
        self.sent = 0
        self.unsent = 0  # no nominated pair at that moment
        self.drops: Counter[str] = Counter()

    def open(self, rx: Any, tx: Any) -> None:
        """Take the SRTP sessions (pylibsrtp) of a finished DTLS handshake."""
        self._rx, self._tx = rx, tx

    def received(self, datagram: bytes) -> None:
        """Take one SRTP or SRTCP datagram that the gate let through."""
        now_s = self._clock()
        if self._rx is None:
            self.drops["early"] += 1
            return
        try:
            if is_rtcp(datagram):
                self._reports_came(RtcpPacket.parse(self._rx.unprotect_rtcp(datagram)), now_s)
                return
            # Read before the tag is checked, so that made-up SSRCs cost libsrtp no stream state.
            ssrc = int.from_bytes(datagram[8:12], "big")
            if not self._ears.accepts(ssrc, now_s):
                self.drops["other_ssrc"] += 1
                return
            packet = parse_rtp(self._rx.unprotect(datagram))
        except pylibsrtp.Error:
            self.drops["unauthenticated"] += 1  # wrong key, broken, or seen before (replay)
            return
        except ValueError:
            self.drops["malformed"] += 1
            return
        self._alive()
        if packet.payload_type in (self._payload_type, self._key_type):
            if self.reception is None or self.reception.ssrc != ssrc:
                self.reception = Reception(ssrc, self._clock_rate)
            if packet.payload_type == self._payload_type:
                self.reception.add(packet.sequence, packet.timestamp, now_s)
            else:
                self.reception.count(packet.sequence)
        self._ears.packet(packet, now_s)

    def _reports_came(self, packets: list[AnyRtcpPacket], now_s: float) -> None:
        self._alive()
        for packet in packets:
            if not isinstance(packet, RtcpSrPacket | RtcpRrPacket):
                continue  # BYE included: the caller's DTLS or consent says when they are gone
            if isinstance(packet, RtcpSrPacket) and self.reception and packet.ssrc == self.reception.ssrc:
                self.reception.sender_report_came(packet.sender_info.ntp_timestamp, now_s)
            for report in packet.reports:
                if report.ssrc == self._ssrc:
                    self.round_trip.report_came(report, now_s)

    def send(self, payload: bytes, ticks: int, marker: bool) -> None:
        """Send one packet; `ticks` are RTP ticks since the first one (the speaker's `Send`)."""
        if self._tx is None:
            return
        timestamp = (self._ticks + ticks) & 0xFFFFFFFF
        packet = build_rtp(self._payload_type, marker, self._sequence, timestamp, self._ssrc, payload)
        self._sequence = (self._sequence + 1) & 0xFFFF
        if self._transmit(self._tx.protect(packet)):
            self.sent += 1
            self._sent_octets += len(payload)
        else:
            self.unsent += 1
        self._last_sent = (self._clock(), timestamp)

    def report(self) -> None:
        """Send SR (or RR) and SDES; call once a second."""
        if self._tx is not None:
            self._transmit(self._tx.protect_rtcp(self._reports()))

    def bye(self) -> None:
        """Send the last report and BYE (RFC 3550 §6.6); then nothing more goes either way."""
        if self._tx is not None:
            self._transmit(
                self._tx.protect_rtcp(self._reports() + bytes(RtcpByePacket(sources=[self._ssrc])))
            )
        self._rx = self._tx = None

    def _reports(self) -> bytes:
        now_s = self._clock()
        sent = None
        if self.sent:
            # The NTP and RTP times of one instant (RFC 3550 §6.4.1): now, on the clock of the last packet.
            sent_s, timestamp = self._last_sent
            sent = RtcpSenderInfo(
                ntp_timestamp=ntp_of(now_s),
                rtp_timestamp=(timestamp + int((now_s - sent_s) * self._clock_rate)) & 0xFFFFFFFF,
                packet_count=self.sent & 0xFFFFFFFF,
                octet_count=self._sent_octets & 0xFFFFFFFF,
            )
        heard = self.reception.report(now_s) if self.reception is not None else None
        return build_reports(ssrc=self._ssrc, cname=self.cname, sent=sent, heard=heard)
