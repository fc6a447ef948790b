"""The source gate, on plain datagrams: what each kind of stranger gets, and what a caller may still do."""

from __future__ import annotations

import random
from collections.abc import Callable

import aioice.stun
import pytest

from rtbridge.rtc import guard
from rtbridge.rtc.guard import Bucket, Gate, GatedProtocol, Verdict
from rtbridge.rtc.private import Connection

CALLER, STRANGER = ("198.51.100.1", 5000), ("203.0.113.9", 6666)
CLIENT_HELLO = b"\x16\xfe\xfd" + bytes(60)
RTP = b"\x80\x6f" + bytes(50)


def nobody_asked(transaction: bytes) -> bool:
    return False


def gate(*, checked: Callable[[tuple[str, int]], bool] = lambda address: False, up: bool = False) -> Gate:
    made = Gate(ufrag="abcd", checked=checked)
    made.media_up = up
    return made


def request(username: str = "abcd:efgh", *, key: str | None = None, priority: bool = True) -> bytes:
    message = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    if priority:
        message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 1
    if key is not None:
        message.add_message_integrity(key.encode())
    return bytes(message)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "empty"),
        (CLIENT_HELLO, "dtls_stranger"),
        (b"\x15\xfe\xfd" + bytes(12), "dtls_stranger"),
        (RTP, "media_early"),
        (b"\x00", "stun_size"),
        (b"\x00\x01" + bytes(1600), "stun_size"),
        (b"\x01\x01" + bytes(18), "stun_unasked"),
        (request("wxyz:efgh"), "stun_stranger"),
        (b"\x40" + bytes(40), "unknown"),  # a TURN channel
        (b"\x10" + bytes(40), "unknown"),  # ZRTP
        (b"\xff" + bytes(40), "unknown"),
    ],
    ids=range(11),  # not the bytes: a question's transaction is another in every process
)
def test_a_stranger_gets_nothing_through_and_is_counted(data: bytes, cause: str) -> None:
    a_gate = gate()
    assert a_gate.judge(data, STRANGER, nobody_asked, 0.0) is Verdict.DROP
    assert a_gate.drops == {cause: 1}


def test_a_stranger_who_knows_the_ufrag_may_ask_and_nothing_else() -> None:
    a_gate = gate()
    assert a_gate.judge(request(), STRANGER, nobody_asked, 0.0) is Verdict.STUN
    assert a_gate.judge(CLIENT_HELLO, STRANGER, nobody_asked, 0.0) is Verdict.DROP


def test_a_response_to_our_question_is_let_through() -> None:
    response = b"\x01\x01\x00\x00" + b"\x21\x12\xa4\x42" + b"t" * 12
    assert gate().judge(response, CALLER, lambda transaction: transaction == b"t" * 12, 0.0) is Verdict.STUN


def test_dtls_comes_in_once_the_source_is_validated_either_way() -> None:
    asked = gate()
    asked.validated(CALLER)
    assert asked.judge(CLIENT_HELLO, CALLER, nobody_asked, 0.0) is Verdict.DTLS
    answered = gate(checked=lambda address: address == CALLER)
    assert answered.judge(CLIENT_HELLO, CALLER, nobody_asked, 0.0) is Verdict.DTLS
    assert answered.judge(CLIENT_HELLO, STRANGER, nobody_asked, 0.0) is Verdict.DROP


def test_a_validated_source_sends_media_without_limit_and_a_rebound_one_100_packets_a_second() -> None:
    a_gate = gate(up=True)
    a_gate.validated(CALLER)
    verdicts = [a_gate.judge(RTP, CALLER, nobody_asked, 0.0) for _ in range(500)]
    assert verdicts == [Verdict.MEDIA] * 500
    rebound = ("198.51.100.1", 5001)
    a_second = [a_gate.judge(RTP, rebound, nobody_asked, n * 0.02) for n in range(50)]
    assert a_second == [Verdict.MEDIA] * 50
    flood = [a_gate.judge(RTP, STRANGER, nobody_asked, 1.0 + n / 20_000) for n in range(20_000)]
    assert flood.count(Verdict.MEDIA) <= 200
    assert a_gate.drops["media_stranger"] >= 19_800


@pytest.mark.parametrize("size", [5, 11, 1501])
def test_media_of_impossible_size_is_dropped(size: int) -> None:
    a_gate = gate(up=True)
    a_gate.validated(CALLER)
    assert a_gate.judge(b"\x80" * size, CALLER, nobody_asked, 0.0) is Verdict.DROP


def test_a_flood_of_questions_does_not_use_up_the_callers_share() -> None:
    a_gate = gate()
    a_gate.validated(CALLER)
    flood = [a_gate.judge(request(), STRANGER, nobody_asked, n / 1000) for n in range(2000)]
    assert flood.count(Verdict.STUN) <= 200
    assert a_gate.judge(request(), CALLER, nobody_asked, 2.0) is Verdict.STUN


def test_a_closed_gate_lets_nothing_through() -> None:
    a_gate = gate(up=True)
    a_gate.validated(CALLER)
    a_gate.closed = True
    assert a_gate.judge(RTP, CALLER, nobody_asked, 0.0) is Verdict.DROP


def test_no_more_than_32_sources_are_remembered() -> None:
    a_gate = gate()
    for port in range(1000, 1100):
        a_gate.validated(("198.51.100.1", port))
    assert not a_gate.knows(("198.51.100.1", 1067))
    assert a_gate.knows(("198.51.100.1", 1068))


def test_a_bucket_fills_again_up_to_its_burst() -> None:
    bucket = Bucket(10, 5)
    assert [bucket.take(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert bucket.take(0.1)
    assert not bucket.take(0.1)
    assert [bucket.take(100.0) for _ in range(6)] == [True] * 5 + [False]


class Sent:
    """An asyncio transport that only remembers."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self.closing = False

    def sendto(self, data: bytes, addr: object) -> None:
        self.datagrams.append(data)

    def is_closing(self) -> bool:
        return self.closing


class Socket:
    """A GatedProtocol on a real aioice connection and no network."""

    def __init__(self) -> None:
        self.connection = Connection(ice_controlling=False, local_username="abcd", local_password="p" * 22)
        self.gate = gate()
        self.media: list[bytes] = []
        self.alive = 0
        self.sent = Sent()
        self.protocol = GatedProtocol(
            self.connection, self.gate, clock=lambda: 0.0, media=self.media.append, alive=self._alive
        )
        self.protocol.transport = self.sent  # type: ignore[assignment]
        self.protocol.local_candidate = aioice.Candidate("1", 1, "udp", 1, "127.0.0.1", 5, "host")

    def _alive(self) -> None:
        self.alive += 1

    def receive(self, data: bytes, address: tuple[str, int] = CALLER) -> None:
        self.protocol.datagram_received(data, address)


async def test_an_authenticated_check_validates_its_source_and_opens_dtls_and_media() -> None:
    sock = Socket()
    sock.receive(CLIENT_HELLO)
    sock.receive(request(key="p" * 22))
    sock.receive(CLIENT_HELLO)
    assert sock.connection._queue.qsize() == 1
    assert (sock.alive, len(sock.sent.datagrams)) == (1, 1)
    sock.gate.media_up = True
    sock.receive(RTP)
    assert sock.media == [RTP]


@pytest.mark.parametrize(
    "data",
    [request(), request(key="wrong" * 5), request(key="p" * 22, priority=False)],
    ids=["unsigned", "signed with another key", "without a priority"],
)
async def test_an_unauthenticated_or_incomplete_check_validates_nobody(data: bytes) -> None:
    sock = Socket()
    sock.receive(data)
    sock.receive(CLIENT_HELLO)
    assert sock.alive == 0
    assert sock.gate.drops["dtls_stranger"] == 1


async def test_broken_stun_is_dropped_and_never_handed_on_as_data() -> None:
    sock = Socket()
    good, chance = request(key="p" * 22), random.Random(7)
    for _ in range(300):
        broken = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(1, len(broken))] = chance.randrange(256)
        sock.receive(bytes(broken[: chance.randrange(20, len(broken) + 1)]), STRANGER)
    assert sock.connection._queue.qsize() == 0
    assert sock.gate.drops["stun_malformed"] > 0


async def test_dtls_that_nobody_reads_does_not_pile_up() -> None:
    sock = Socket()
    sock.gate.validated(CALLER)
    for _ in range(1000):
        sock.receive(CLIENT_HELLO)
    assert sock.connection._queue.qsize() == guard.MAX_WAITING
    assert sock.gate.drops["dtls_backlog"] == 1000 - guard.MAX_WAITING


async def test_one_who_knows_the_password_cannot_bring_more_than_64_addresses() -> None:
    sock = Socket()
    for port in range(1000, 1090):
        sock.connection._remote_candidates.append(
            aioice.Candidate("1", 1, "udp", 1, "198.51.100.1", port, "host")
        )
    sock.receive(request(key="p" * 22))
    assert sock.sent.datagrams == []
    assert sock.gate.drops["stun_sources"] == 1


async def test_nothing_is_sent_by_a_socket_that_closes() -> None:
    sock = Socket()
    sock.sent.closing = True
    sock.receive(request(key="p" * 22))
    assert sock.sent.datagrams == []
