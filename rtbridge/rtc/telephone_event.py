"""Keys of a telephone as RTP telephone-events (RFC 4733): which of them a stream of packets means, and how one is sent.

A key is several packets that all bear the RTP time at which it was pressed: each with a longer duration, the last
said three times, so that any of them tells the key and a loss changes nothing. The time is therefore what tells one
key from the next, not the number of packets, nor their end bits.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from dataclasses import dataclass
from typing import Final

from rtbridge.rtc.rtp import HEADER, RtpPacket, is_rtcp

NAME: Final = "telephone-event"
OFFERED: Final = ((110, 48_000), (126, 8_000))  # payload type and clock rate, as Chromium offers them
EVENTS: Final = "0-15"  # RFC 4733 §2.4.1: the keys; in an answer what we take
KEYS: Final = "0123456789*#ABCD"  # by event code, RFC 4733 §3.2 table 7
BLOCK: Final = struct.Struct("!BBH")  # event, E R volume, duration: RFC 4733 §2.3
END: Final = 0x80
VOLUME: Final = 10  # -10 dBm0, the usual level of a key
LONGEST: Final = 0xFFFF  # RTP ticks that one duration can tell
REMEMBERED: Final = 16  # keys, to know a packet that comes late for what it is

KEY_PACKETS: Final = 5  # of 20 ms: a tone of 100 ms
END_PACKETS: Final = 3  # RFC 4733 §2.5.1.4: the last packet is sent three times in all
PAUSE_PACKETS: Final = 3  # ITU-T Q.24 wants 40 ms at least between two keys

_FORMAT: Final = re.compile(r"telephone-event/(\d+)", re.IGNORECASE)


def rate_of(rtpmap: str | None) -> int | None:
    """Return the clock rate of an rtpmap that is telephone events; None for any other."""
    match = _FORMAT.fullmatch((rtpmap or "").removesuffix("/1"))
    return int(match[1]) if match else None


def offered(sdp: str) -> str:
    """Return an SDP offer with telephone-events of both clocks at the end of its audio section, as browsers have it."""
    lines = sdp.rstrip("\r\n").split("\r\n")
    begin = next(n for n, line in enumerate(lines) if line.startswith("m=audio "))
    end = next((n for n, line in enumerate(lines) if n > begin and line.startswith("m=")), len(lines))
    lines[end:end] = [f"a=rtpmap:{payload_type} {NAME}/{rate}" for payload_type, rate in OFFERED]
    lines[begin] += "".join(f" {payload_type}" for payload_type, _ in OFFERED)
    return "\r\n".join(lines) + "\r\n"


def accepted(sdp: str) -> int | None:
    """Return the payload type that an SDP answer has for telephone-events; None where it takes none."""
    for line in sdp.split("\r\n"):
        payload_type, _, rtpmap = line.removeprefix("a=rtpmap:").partition(" ")
        if line.startswith("a=rtpmap:") and rate_of(rtpmap) is not None:
            return int(payload_type)
    return None


class KeysHeard:
    """Reads the keys out of one stream's telephone-event packets, in order of sequence number."""

    def __init__(self) -> None:
        self._starts: deque[int] = deque(maxlen=REMEMBERED)  # RTP times of keys that were told
        self._last: tuple[int, int, bool] | None = None  # start and code of the newest, and whether it ended
        self.malformed = 0

    def take(self, packet: RtpPacket) -> str:
        """Return the keys that nobody has been told of yet: nearly always none or one."""
        if not packet.payload or len(packet.payload) % BLOCK.size:
            self.malformed += 1
            return ""
        start, keys = packet.timestamp, ""
        for code, flags, duration in BLOCK.iter_unpack(packet.payload):
            keys += self._key(start, code, bool(flags & END))
            start = (
                start + duration
            ) & 0xFFFFFFFF  # RFC 4733 §2.5.1.5: the next event begins where this ends
        return keys

    def _key(self, start: int, code: int, ended: bool) -> str:
        if start in self._starts:
            if self._last is not None and self._last[0] == start:
                self._last = (start, code, ended or self._last[2])
            return ""
        # RFC 4733 §2.5.1.3: a key that is held for longer than a duration can tell goes on as another event.
        goes_on = self._last is not None and self._last == ((start - LONGEST) & 0xFFFFFFFF, code, False)
        self._starts.append(start)
        self._last = (start, code, ended)
        return "" if goes_on or code >= len(KEYS) else KEYS[code]


@dataclass(slots=True)
class _Press:
    code: int
    start: int | None = None  # RTP time of its first packet
    sent: int = 0  # packets


class KeysSent:
    """Puts keys in the place of a sender's audio: `packet` sees each RTP packet on its way out, one every 20 ms."""

    def __init__(self, payload_type: int, frame_ticks: int) -> None:
        """`frame_ticks` is how far the RTP clock moves in 20 ms."""
        self._payload_type = payload_type
        self._frame_ticks = frame_ticks
        self._waiting: deque[_Press] = deque()
        self._pause = 0  # packets of audio until the next key may begin

    def press(self, key: str) -> None:
        """Press one of `KEYS`, after those that were pressed before. Raises ValueError for what is no key."""
        self._waiting.append(_Press(KEYS.index(key)))

    def packet(self, data: bytes) -> bytes:
        """Return what to send instead of `data`: a packet in the same place of the stream, perhaps with a key in it."""
        if len(data) < HEADER.size or is_rtcp(data):
            return data
        if self._pause or not self._waiting:
            self._pause = max(0, self._pause - 1)
            return data
        first, _, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        press = self._waiting[0]
        marker = 0x80 if press.start is None else 0  # RFC 4733 §2.5.1.1: the packet with which a key begins
        press.start = timestamp if press.start is None else press.start
        press.sent += 1
        if press.sent == KEY_PACKETS + END_PACKETS - 1:
            self._waiting.popleft()
            self._pause = PAUSE_PACKETS
        flags = VOLUME | (END if press.sent >= KEY_PACKETS else 0)
        block = BLOCK.pack(press.code, flags, min(press.sent, KEY_PACKETS) * self._frame_ticks)
        header = HEADER.pack(first & ~0x20, marker | self._payload_type, sequence, press.start, ssrc)
        return header + data[HEADER.size : payload_at(data)] + block


def payload_at(data: bytes) -> int:
    """Return where the payload of an RTP packet begins (RFC 3550 §5.1 and §5.3.1)."""
    at = HEADER.size + 4 * (data[0] & 0x0F)
    return at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big") if data[0] & 0x10 else at
