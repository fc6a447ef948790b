"""The source gate: which datagrams may reach aioice, DTLS and SRTP, decided by first byte and by source.

aioice hands on every datagram that is not STUN without asking who sent it. One empty datagram from any address
ends a live call (an IndexError in the DTLS reader), and a stranger's ClientHello during set-up takes the place of
the caller's. Here a datagram is sorted by its first byte (RFC 7983 §7), and:

- STUN requests must name our ice-ufrag, responses must answer a question of ours; both are bounded in rate;
- DTLS is let through only from a source that ICE has validated: it sent an authenticated check, or answered one;
- SRTP is let through once DTLS is up: from anyone validated, from others through a bucket of 100 packets a second,
  wide enough for a caller whose NAT just gave them a new port (SRTP authenticates each packet anyway);
- all else is dropped. Every drop is counted by cause.

`Gate` decides and touches nothing; `GatedProtocol` is aioice's socket with a gate in front.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final

import aioice.stun

from rtbridge.rtc import private
from rtbridge.rtc.private import Address, Connection, StunProtocol

MAX_SOURCES: Final = 32  # validated addresses remembered; a caller has one or two
MAX_REMOTES: Final = 64  # remote candidates, signalled and found, before STUN from new addresses is refused
MAX_WAITING: Final = 256  # datagrams that may wait for the DTLS reader
MAX_DATAGRAM: Final = 1500  # pylibsrtp refuses more, and no WebRTC endpoint sends it
STUN_HEADER: Final = 20  # RFC 8489 §5


class Verdict(Enum):
    """What to do with a datagram."""

    STUN = auto()
    DTLS = auto()
    MEDIA = auto()
    DROP = auto()


class Bucket:
    """A token bucket: `rate` a second, `burst` at once. Monotonic `now_s` comes in."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._asked_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Take one token, if there is one."""
        if self._asked_s is not None:
            self._tokens = min(self._burst, self._tokens + (now_s - self._asked_s) * self._rate)
        self._asked_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Gate:
    """One peer's gate, shared by its sockets."""

    def __init__(self, *, ufrag: str, checked: Callable[[Address], bool]) -> None:
        """`checked(address)` tells whether a connectivity check of ours to that address succeeded."""
        self._username = f"{ufrag}:".encode()
        self._checked = checked
        self._sources: dict[Address, None] = {}
        self._stranger_stun = Bucket(50, 100)
        self._known_stun = Bucket(200, 400)
        self._stranger_media = Bucket(100, 100)
        self.media_up = False  # set when DTLS is connected
        self.closed = False
        self.drops: Counter[str] = Counter()

    def validated(self, address: Address) -> None:
        """Remember that `address` proved to hold the ICE password (an authenticated check)."""
        if address not in self._sources:
            if len(self._sources) >= MAX_SOURCES:
                del self._sources[next(iter(self._sources))]
            self._sources[address] = None

    def knows(self, address: Address) -> bool:
        """Tell whether ICE has validated `address`."""
        if address in self._sources:
            return True
        if self._checked(address):
            self.validated(address)
            return True
        return False

    def judge(self, data: bytes, address: Address, asked: Callable[[bytes], bool], now_s: float) -> Verdict:
        """Sort one datagram. `asked(transaction_id)` tells whether a STUN request of ours waits for it."""
        if self.closed:
            return self._drop("closed")
        if not data:
            return self._drop("empty")
        first = data[0]
        if 128 <= first <= 191:
            if not self.media_up:
                return self._drop("media_early")
            if not 12 <= len(data) <= MAX_DATAGRAM:
                return self._drop("media_size")
            if not self.knows(address) and not self._stranger_media.take(now_s):
                return self._drop("media_stranger")
            return Verdict.MEDIA
        if 20 <= first <= 63:
            if not self.knows(address):
                return self._drop("dtls_stranger")
            return Verdict.DTLS
        if first <= 3:
            return self._judge_stun(data, address, asked, now_s)
        return self._drop("unknown")

    def _judge_stun(
        self, data: bytes, address: Address, asked: Callable[[bytes], bool], now_s: float
    ) -> Verdict:
        if not STUN_HEADER <= len(data) <= MAX_DATAGRAM:
            return self._drop("stun_size")
        if data[0] & 0x01:  # RFC 8489 §5: the higher class bit; set in responses, clear in requests
            if not asked(data[8:20]):
                return self._drop("stun_unasked")
        elif self._username not in data:
            return self._drop("stun_stranger")
        bucket = self._known_stun if address in self._sources else self._stranger_stun
        if not bucket.take(now_s):
            return self._drop("stun_rate")
        return Verdict.STUN

    def _drop(self, cause: str) -> Verdict:
        self.drops[cause] += 1
        return Verdict.DROP


class GatedProtocol(StunProtocol):
    """aioice's socket, with the gate in front of it and the road of media beside it."""

    def __init__(
        self,
        connection: Connection,
        gate: Gate,
        *,
        clock: Callable[[], float],
        media: Callable[[bytes], None],
        alive: Callable[[], None],
    ) -> None:
        """`media(datagram)` takes SRTP and SRTCP; `alive()` is told of every authenticated check."""
        super().__init__(connection)
        self._gate = gate
        self._clock = clock
        self._media = media
        self._alive = alive

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Judge one datagram and send it where it belongs."""
        assert isinstance(data, bytes)
        address: Address = (addr[0], addr[1])
        gate = self._gate
        verdict = gate.judge(data, address, self.transactions.__contains__, self._clock())
        if verdict is Verdict.MEDIA:
            self._media(data)
        elif verdict is Verdict.DTLS:
            if private.waiting_datagrams(self.receiver) < MAX_WAITING:
                self.receiver.data_received(data, self.local_candidate.component)
            else:
                gate.drops["dtls_backlog"] += 1
        elif verdict is Verdict.STUN:
            self._stun_received(data, address)

    def _stun_received(self, data: bytes, address: Address) -> None:
        drops = self._gate.drops
        try:
            message = aioice.stun.parse_message(data)
        except (ValueError, struct.error, IndexError):
            drops["stun_malformed"] += 1
            return
        request = message.message_class == aioice.stun.Class.REQUEST
        if (
            request and "PRIORITY" not in message.attributes
        ):  # RFC 8445 §7.1.1 makes it mandatory; aioice reads it
            drops["stun_malformed"] += 1
        elif (
            request and not self._gate.knows(address) and private.known_remotes(self.receiver) >= MAX_REMOTES
        ):
            drops["stun_sources"] += 1
        else:
            super().datagram_received(data, address)

    def send_stun(self, message: aioice.stun.Message, addr: Address) -> None:
        """Send a STUN message; a success response means that its asker has proved to know our password."""
        if message.message_class == aioice.stun.Class.RESPONSE:
            self._gate.validated((addr[0], addr[1]))
            self._alive()
        if not self.transport.is_closing():
            super().send_stun(message, addr)
