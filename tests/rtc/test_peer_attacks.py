"""What a caller or a stranger does to a peer: floods, malformed SCTP, junk datagrams, mutated offers."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiortc import RTCSessionDescription

from peer_rig import LOOPBACK, PATIENCE_S, Connect, bytes_of_silence, settled_tasks
from rtbridge.core.leg import LegGone, LegMessage, LegSuspended, LegUp
from rtbridge.core.pcm import RATE
from rtbridge.errors import BadOffer
from rtbridge.rtc.client import WireCaller
from rtbridge.rtc.peer import Peer

pytestmark = pytest.mark.wire


def media_port(call: Any) -> int:
    description: RTCSessionDescription = call.caller.pc.remoteDescription
    return int(description.sdp.split("m=audio ")[1].split(" ")[0])


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (lambda call: call.caller.pc.createDataChannel("second"), "data_channel_refused"),
        (lambda call: call.caller.channel.send("x" * 65_537), "message_too_large"),
        (lambda call: [call.caller.send("{}") for _ in range(1500)], "rate_limit_exceeded"),
    ],
    ids=["a second channel", "a message over 64 KiB", "1,500 messages at once"],
)
async def test_a_flooded_data_channel_gets_an_error_event_and_ends_the_call(
    connect: Connect, attack: Any, code: str
) -> None:
    async with connect() as call:
        call.caller.pc.sctp._remote_max_message_size = 0  # a client that does not keep to the answer
        attack(call)
        await call.until(lambda: call.saw(LegGone))
        await call.peer.close()
        await asyncio.wait_for(call.caller.ended(), PATIENCE_S)
        errors = [json.loads(text) for text in call.messages]
        assert [error["error"]["code"] for error in errors] == [code]
        assert errors[0]["type"] == "error"
        assert sum(isinstance(event, LegMessage) for event in call.events) < 1200


async def test_an_endless_message_is_cut_off_before_it_costs_memory(connect: Connect) -> None:
    async with connect() as call:
        call.caller.pc.sctp._remote_max_message_size = 0
        call.caller.channel.send(b"x" * 3_000_000)
        await call.until(lambda: call.saw(LegGone))
        assert "more than 65536 bytes" in call.events[-1].reason


async def test_malformed_sctp_ends_only_that_call(connect: Connect) -> None:
    async with connect() as bystander, connect() as call:
        sctp = call.caller.pc.sctp
        # RFC 8832 §5.1: an OPEN for a stream that is open, at which aiortc's receiver asserts.
        again = b"\x03" + bytes(11)
        await sctp._send(call.caller.channel.id, 50, again)
        await call.until(lambda: call.saw(LegGone))
        assert "malformed" in call.events[-1].reason
        heard = len(bystander.heard)
        await bystander.until(lambda: len(bystander.heard) > heard)
        assert not bystander.saw(LegGone)


async def test_ten_thousand_junk_datagrams_change_nothing(connect: Connect) -> None:
    async with connect() as call:
        chance = random.Random(10)
        await call.until(lambda: len(call.heard) > 0)
        before = call.peer.stats()
        sources = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
        target = ("127.0.0.1", media_port(call))
        hello = bytes.fromhex("16fefd0000000000000000") + (200).to_bytes(2, "big") + b"\x01" + bytes(199)
        for n in range(10_000):
            junk = (
                (b"", hello, b"\x15\xfe\xfd" + bytes(12))[n % 3]
                if n % 10 == 0
                else chance.randbytes(chance.randrange(1500))
            )
            sources[n % 20].sendto(junk, target)
            if n % 20 == 19:
                for _ in range(25):  # asyncio reads one datagram a turn, and the kernel keeps about a hundred
                    await asyncio.sleep(0)
        for source in sources:
            source.close()
        heard, received = len(call.heard), len(call.received)
        await call.until(lambda: len(call.heard) > heard + RATE and len(call.received) > received + RATE)
        after = call.peer.stats()
        assert sum(count for name, count in after.items() if name.startswith("gate.drop.")) >= 8000
        assert after["gate.drop.empty"] > 0
        assert after["gate.drop.dtls_stranger"] > 0
        assert after["uplink.lost"] - before["uplink.lost"] <= 2
        assert not call.saw(LegGone)
        assert not call.saw(LegSuspended)


@pytest.mark.parametrize("setup", ["actpass", "active"])
async def test_strangers_racing_the_handshake_do_not_keep_the_call_from_coming_up(
    connect: Connect, setup: str
) -> None:
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    hello = bytes.fromhex("16fefd0000000000000000") + (200).to_bytes(2, "big") + b"\x01" + bytes(199)
    for _ in range(5):
        peer, caller = Peer(LOOPBACK), WireCaller(speak=bytes_of_silence, listen=lambda pcm: None)
        offer = (await caller.offer()).replace("a=setup:actpass", f"a=setup:{setup}")
        answer = await peer.answer(offer)
        target = ("127.0.0.1", int(answer.split("m=audio ")[1].split(" ")[0]))
        await caller.accept(answer)
        async with asyncio.TaskGroup() as group:
            up = group.create_task(caller.opened(5.0))
            while not up.done():
                for junk in (b"", hello, b"\x15\xfe\xfd" + bytes(12)):
                    stranger.sendto(junk, target)
                await asyncio.sleep(0.002)
        assert isinstance(await anext(aiter(peer.events())), LegUp)
        await caller.close()
        await peer.close()
    stranger.close()


async def test_answered_offers_that_nobody_follows_leave_nothing_behind(chrome_offer: str) -> None:
    tasks, fds = asyncio.all_tasks(), len(os.listdir("/proc/self/fd"))
    peers = [Peer(LOOPBACK) for _ in range(20)]
    for peer in peers:
        await peer.answer(chrome_offer)
    for peer in peers:
        await peer.close()
    assert not await settled_tasks(tasks)
    assert len(os.listdir("/proc/self/fd")) == fds


async def test_mutated_offers_are_refused_or_answered_and_leave_nothing_behind(
    chrome_offer: str, count: Callable[[int, int], int]
) -> None:
    chance = random.Random(21)
    await Peer(LOOPBACK).close()
    tasks, fds, took, answered = asyncio.all_tasks(), len(os.listdir("/proc/self/fd")), [], 0
    for _ in range(count(100, 1000)):
        characters = list(chrome_offer)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(characters))
            characters[at : at + chance.choice((1, 1, 5))] = chance.choice(
                ["", "0", ":", " ", "\r\n", "x", "\u00e9"]
            )
        peer = Peer(LOOPBACK)
        begin = time.process_time()
        try:
            assert (await peer.answer("".join(characters))).startswith("v=0")
        except BadOffer:
            pass
        else:
            answered += 1
        took.append(time.process_time() - begin)
        await peer.close()
    assert 0 < answered < len(took)
    assert sorted(took)[len(took) * 99 // 100] <= 0.050
    assert not await settled_tasks(tasks)
    assert len(os.listdir("/proc/self/fd")) == fds
