"""The receive buffer: puts packets in order and gives up on those that do not come. Sans-IO, generic in the packet.

It holds no audio back: a packet that is next in order leaves at once. Only behind a gap do packets wait, at most
`hold_s`, because the reader is a buffer itself and needs no pacing. How long follows what the network has shown: half
as long again as its reordering took of late, and less with each gap that stayed one. (aiortc's own buffer waits for
16 packets at the first loss, then throws good ones away: one lost packet costs it five and 200 ms for the rest of the
call.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Packet = TypeVar("Packet")

HOLD_S: Final = 0.040
LEAST_HOLD_S: Final = 0.010  # two packets that changed places in one host's queue
PATIENCE: Final = 1.5  # times the reordering that was measured
FORGET: Final = 0.9  # of it, with each gap that was given up in vain
CAPACITY: Final = 64  # packets behind a gap; 1.28 s at 20 ms
JUMP: Final = 1000  # RFC 3550 A.1 takes 3000 packets for a restart; a call's stream is 50 a second


@dataclass(slots=True)
class JitterCounts:
    """What the buffer saw, in packets."""

    reordered: int = 0  # came behind a newer one, in time
    late: int = 0  # came after their gap was given up
    duplicate: int = 0
    given_up: int = 0  # sequence numbers that were missing when the wait was over
    resets: int = 0  # jumps that can only be a new stream


class JitterBuffer(Generic[Packet]):
    """Order by RTP sequence number (16 bits, wrapping). `now_s` is monotonic and comes in as an argument."""

    def __init__(self, *, hold_s: float = HOLD_S, capacity: int = CAPACITY) -> None:
        self._hold_s = hold_s
        self._capacity = capacity
        self._reordering_s = hold_s  # nothing is known yet: be patient
        self._next: int | None = None
        self._waiting: dict[int, tuple[Packet, float]] = {}  # sequence -> packet, when it came
        self.counts = JitterCounts()

    def push(self, sequence: int, packet: Packet, now_s: float) -> list[tuple[int, Packet]]:
        """Take one packet; return those that are due, in order, with their sequence numbers."""
        if self._next is None:
            self._next = sequence
        ahead = ((sequence - self._next + 0x8000) & 0xFFFF) - 0x8000
        if ahead == 0:
            self._next = (sequence + 1) & 0xFFFF
            if not self._waiting:
                return [(sequence, packet)]
            self.counts.reordered += 1
            self._reordering_s = max(self._reordering_s, now_s - self._oldest_s())
            return [(sequence, packet), *self._in_order()]
        if not -JUMP < ahead < JUMP:
            self.counts.resets += 1
            due = self._all()
            self._next = (sequence + 1) & 0xFFFF
            return [*due, (sequence, packet)]
        if ahead < 0:
            self.counts.late += 1
            self._reordering_s = self._hold_s
            return []
        if sequence in self._waiting:
            self.counts.duplicate += 1
            return []
        self._waiting[sequence] = (packet, now_s)
        if len(self._waiting) > self._capacity:
            return self._skip()
        return self.poll(now_s)

    def poll(self, now_s: float) -> list[tuple[int, Packet]]:
        """Return what is due because it has waited long enough behind a gap."""
        due: list[tuple[int, Packet]] = []
        while self._waiting and now_s >= self._oldest_s() + self.hold_s:
            due += self._skip()
            self._reordering_s *= FORGET
        return due

    def deadline(self) -> float | None:
        """Return when to poll next, or None while nothing waits."""
        return self._oldest_s() + self.hold_s if self._waiting else None

    @property
    def hold_s(self) -> float:
        """How long packets wait behind a gap now."""
        return min(self._hold_s, max(LEAST_HOLD_S, PATIENCE * self._reordering_s))

    def _oldest_s(self) -> float:
        return min(came_s for _, came_s in self._waiting.values())

    def _skip(self) -> list[tuple[int, Packet]]:
        """Give the gap up that everything waits behind."""
        assert self._next is not None
        expected = self._next
        missing = min((sequence - expected) & 0xFFFF for sequence in self._waiting)
        self.counts.given_up += missing
        self._next = (expected + missing) & 0xFFFF
        return self._in_order()

    def _in_order(self) -> list[tuple[int, Packet]]:
        due: list[tuple[int, Packet]] = []
        assert self._next is not None
        while (found := self._waiting.pop(self._next, None)) is not None:
            due.append((self._next, found[0]))
            self._next = (self._next + 1) & 0xFFFF
        return due

    def _all(self) -> list[tuple[int, Packet]]:
        due: list[tuple[int, Packet]] = []
        while self._waiting:
            due += self._skip()
        return due
