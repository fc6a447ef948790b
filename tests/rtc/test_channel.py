"""`oai-events` and its bounds, with a channel that only remembers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from rtbridge.rtc.channel import MAX_BUFFERED_BYTES, MAX_STREAMS, MAX_UNREAD_BYTES, EventChannel


class FakeChannel:
    """What EventChannel uses of aiortc's RTCDataChannel."""

    def __init__(self, label: str = "oai-events") -> None:
        self.label = label
        self.readyState = "open"
        self.bufferedAmount = 0
        self.sent: list[str] = []
        self.listeners: dict[str, list[Callable[..., object]]] = {}
        self.longest = 1_000_000

    def on(self, event: str, listener: Callable[..., object]) -> None:
        self.listeners.setdefault(event, []).append(listener)

    def emit(self, event: str, *arguments: object) -> None:
        for listener in self.listeners.get(event, []):
            listener(*arguments)

    def send(self, text: str) -> None:
        if len(text) > self.longest:
            raise ValueError("longer than the offer's max-message-size")
        self.sent.append(text)
        self.bufferedAmount += len(text)


class Rig:
    def __init__(self, channel: FakeChannel | None = None) -> None:
        self.now_s = 0.0
        self.opened = 0
        self.messages: list[str] = []
        self.reasons: list[str] = []
        self.fake = channel or FakeChannel()
        self.events = EventChannel(
            clock=lambda: self.now_s,
            opened=self._opened,
            message=self.messages.append,
            broken=self.reasons.append,
            closed=lambda: self.reasons.append("closed"),
        )

    def _opened(self) -> None:
        self.opened += 1

    def offer(self) -> None:
        channel: Any = self.fake  # has what is used of the real one
        self.events.offered(channel)

    @property
    def codes(self) -> list[str]:
        return [json.loads(text)["error"]["code"] for text in self.fake.sent]


def test_text_and_utf8_bytes_are_messages() -> None:
    rig = Rig()
    rig.offer()
    rig.fake.emit("message", '{"a":1}')
    rig.fake.emit("message", b'{"b":2}')
    assert (rig.opened, rig.messages, rig.events.received) == (1, ['{"a":1}', '{"b":2}'], 2)


def test_bytes_that_are_no_text_are_answered_with_an_error_and_the_call_goes_on() -> None:
    rig = Rig()
    rig.offer()
    rig.fake.emit("message", b"\xff\xfe")
    assert rig.codes == ["invalid_event"]
    assert rig.events.undecodable == 1
    assert rig.reasons == []


def test_a_channel_of_another_name_is_refused_over_itself() -> None:
    rig = Rig(FakeChannel("chat"))
    rig.offer()
    assert rig.codes == ["data_channel_refused"]
    assert rig.opened == 0
    assert "'chat'" in rig.reasons[0]


def test_a_hundred_messages_a_second_are_fine_and_two_hundred_and_one_at_once_are_not() -> None:
    rig = Rig()
    rig.offer()
    for n in range(1000):
        rig.now_s = n / 100
        rig.fake.emit("message", "{}")
    assert rig.reasons == []
    rig.now_s += 1
    for _ in range(201):
        rig.fake.emit("message", "{}")
    assert rig.codes == ["rate_limit_exceeded"]
    assert len(rig.reasons) == 1
    rig.now_s += 100
    rig.fake.emit("message", "{}")
    assert rig.events.received == 1200


def test_a_message_of_64_kib_passes_and_one_byte_more_ends_the_call() -> None:
    rig = Rig()
    rig.offer()
    rig.fake.emit("message", "x" * 65_536)
    assert len(rig.messages) == 1
    rig.fake.emit("message", "\u20ac" * 21_846)
    assert rig.codes == ["message_too_large"]
    assert "65538 bytes" in rig.reasons[0]


def test_fragments_and_streams_are_bounded_before_they_are_kept() -> None:
    rig = Rig()
    rig.offer()
    assert rig.events.admit_chunk(0, MAX_STREAMS, MAX_UNREAD_BYTES)
    assert not rig.events.admit_chunk(0, 1, MAX_UNREAD_BYTES + 1)
    assert not rig.events.admit_chunk(0, 1, 1)
    assert rig.codes == ["message_too_large"]
    other = Rig()
    other.offer()
    assert not other.events.admit_chunk(9, MAX_STREAMS + 1, 1)
    assert other.codes == ["data_channel_refused"]


def test_what_the_caller_does_not_read_is_dropped_at_one_mebibyte_and_counted() -> None:
    rig = Rig()
    rig.offer()
    for _ in range(20):
        rig.events.send("x" * 65_536)
    assert rig.events.buffered_bytes == MAX_BUFFERED_BYTES
    assert (rig.events.sent, rig.events.unsent) == (16, 4)


@pytest.mark.parametrize("size", [65_537, 2000])
def test_a_message_too_long_for_us_or_for_the_caller_is_counted(size: int) -> None:
    rig = Rig()
    rig.fake.longest = 1000
    rig.offer()
    rig.events.send("x" * size)
    assert (rig.events.sent, rig.events.unsent) == (0, 1)


def test_before_it_is_open_nothing_is_sent() -> None:
    rig = Rig()
    rig.events.send("{}")
    assert rig.events.unsent == 1
    assert not rig.events.is_open
    assert rig.events.buffered_bytes == 0


def test_a_channel_that_closes_is_told() -> None:
    rig = Rig()
    rig.offer()
    rig.fake.emit("close")
    assert rig.reasons == ["closed"]


async def test_drained_waits_until_all_has_arrived_and_no_longer_than_told() -> None:
    rig = Rig()
    on_the_way = [1]
    await rig.events.drained(10.0, lambda: 1)  # no channel yet
    rig.offer()
    await rig.events.drained(10.0, lambda: 0)
    rig.events.send("{}")
    await rig.events.drained(0.01, lambda: 0)
    assert rig.fake.bufferedAmount
    async with asyncio.timeout(10.0), asyncio.TaskGroup() as group:
        waiting = group.create_task(rig.events.drained(60.0, lambda: on_the_way[0]))
        await asyncio.sleep(0)
        rig.fake.bufferedAmount = 0
        await asyncio.sleep(0.02)
        assert not waiting.done()
        on_the_way[0] = 0
