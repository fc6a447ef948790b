"""The leg over real UDP on loopback, with stock aiortc at the far end: audio, events, watchdogs, attacks, its end."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiortc import RTCSessionDescription

from rtbridge.core.leg import LegGone, LegMessage, LegResumed, LegSuspended, LegUp
from rtbridge.core.pcm import FRAME_SAMPLES, RATE
from rtbridge.errors import BadOffer, Closed, Unavailable
from rtbridge.rtc import private
from rtbridge.rtc.client import WireCaller
from rtbridge.rtc.impair import Profile
from rtbridge.rtc.peer import Peer, PeerConfig

pytestmark = pytest.mark.wire

LOOPBACK = PeerConfig(media_addresses=("127.0.0.1",))
Connect = Callable[..., Any]
Tone = Callable[[int], bytes]


def pitch(pcm: bytes) -> tuple[float, float]:
    """Return frequency in Hz and amplitude of the loudest tone in the second half of `pcm`."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    samples = samples[samples.size // 2 :]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * RATE / samples.size), float(np.sqrt(2 * np.mean(samples**2)))


def media_port(call: Any) -> int:
    description: RTCSessionDescription = call.caller.pc.remoteDescription
    return int(description.sdp.split("m=audio ")[1].split(" ")[0])


async def settled_tasks(baseline: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Return the tasks beyond the baseline once the loop has had time to reap what is done."""
    for _ in range(100):
        left = asyncio.all_tasks() - baseline
        if not left:
            return left
        await asyncio.sleep(0.01)
    return left


async def test_audio_passes_both_ways_at_its_level_and_events_too(connect: Connect) -> None:
    async with connect() as call:
        call.peer.send('{"type":"session.created"}')
        call.caller.send('{"type":"session.update"}')
        await call.until(lambda: len(call.heard) >= 2 * RATE and len(call.received) >= 2 * RATE)
        assert LegMessage('{"type":"session.update"}') in call.events
        assert call.messages == ['{"type":"session.created"}']
        hertz, level = pitch(bytes(call.heard))
        assert hertz == pytest.approx(440, abs=3)
        assert level == pytest.approx(8000, rel=0.06)
        hertz, level = pitch(bytes(call.received))
        assert hertz == pytest.approx(880, abs=3)
        assert level == pytest.approx(8000, rel=0.06)  # 0.5 dB
        await call.until(lambda: call.peer.rtt_ms > 0)
        assert call.peer.rtt_ms < 100
        stats = call.peer.stats()
        assert stats["mic.lost"] == stats["mic.silence_ms"] == stats["uplink.lost"] == 0
        assert stats["mic.samples"] % FRAME_SAMPLES == 0
    assert isinstance(call.events[-1], LegGone)


async def test_the_answer_is_what_a_browser_needs(chrome_offer: str) -> None:
    peer = Peer(LOOPBACK)
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"
    begin = time.monotonic()
    answer = await peer.answer(chrome_offer.replace("BUNDLE 0 1", "BUNDLE 0 1 2") + video)
    assert time.monotonic() - begin < 0.5
    await peer.close()
    lines = answer.split("\r\n")
    assert [line.split(" ")[0] for line in lines if line.startswith("m=")] == [
        "m=audio",
        "m=application",
        "m=video",
    ]
    assert "m=video 0 UDP/TLS/RTP/SAVPF 96" in lines
    assert "a=group:BUNDLE 0 1" in lines
    assert "a=fmtp:111 minptime=10;useinbandfec=1" in lines
    assert "a=max-message-size:65536" in lines
    assert lines.count("a=setup:active") == 2
    assert sum(line.startswith("a=msid:") for line in lines) == 1
    candidates = [line for line in lines if line.startswith("a=candidate:")]
    assert len(candidates) == 2
    assert all(" 127.0.0.1 " in line for line in candidates)


async def test_a_data_channel_section_before_the_audio_is_answered_in_that_order(chrome_offer: str) -> None:
    audio, application = chrome_offer.index("m=audio"), chrome_offer.index("m=application")
    swapped = chrome_offer[:audio] + chrome_offer[application:] + chrome_offer[audio:application]
    for group in ("BUNDLE 1 0", "BUNDLE 0 1"):
        peer = Peer(LOOPBACK)
        answer = await peer.answer(swapped.replace("BUNDLE 0 1", group))
        assert answer.index("m=application") < answer.index("m=audio")
        assert answer.count("a=candidate:") == 2
        assert answer.count("a=setup:active") == 2
        await peer.close()


async def test_the_candidates_of_the_offer_are_checked(chrome_offer: str) -> None:
    peer = Peer(LOOPBACK)
    await peer.answer(chrome_offer.replace("203.0.113.7 46243", "127.0.0.1 46243"))
    assert peer._ice is not None
    assert [(found.ip, found.port) for found in peer._ice.getRemoteCandidates()] == [("127.0.0.1", 46_243)]
    await peer.close()


async def test_a_caller_who_is_dtls_client_is_answered_passive(connect: Connect) -> None:
    async with connect(rewrite_offer=lambda sdp: sdp.replace("a=setup:actpass", "a=setup:active")) as call:
        assert "a=setup:passive" in call.caller.pc.remoteDescription.sdp
        await call.until(lambda: len(call.heard) > 0 and len(call.received) > 0)


async def test_an_offer_without_candidates_connects_by_the_callers_own_checks(connect: Connect) -> None:
    def bare(sdp: str) -> str:
        return "\r\n".join(line for line in sdp.split("\r\n") if "candidate" not in line)

    async with connect(rewrite_offer=bare) as call:
        await call.until(lambda: len(call.heard) > 0)


async def test_an_offer_of_only_local_names_is_answered_at_once_and_connects(connect: Connect) -> None:
    def hidden(sdp: str) -> str:
        return sdp.replace(" 127.0.0.1 ", " 5b2e6f0e-0000-4000-8000-3e7f3d3ce5ab.local ")

    begin = time.monotonic()
    async with connect(rewrite_offer=hidden):
        assert time.monotonic() - begin < 1.0


async def test_trickled_candidates_are_taken_and_a_restart_is_refused(
    connect: Connect, chrome_offer: str
) -> None:
    peer = Peer(LOOPBACK)
    with pytest.raises(Closed):
        await peer.add_candidates("")
    await peer.answer(chrome_offer)
    some = "".join(f"a=candidate:1 1 udp 1 127.0.0.1 {port} typ host\r\n" for port in range(40_000, 40_030))
    await peer.add_candidates("a=ice-ufrag:4ZcD\r\na=mid:0\r\n" + some + "a=end-of-candidates\r\n")
    await peer.add_candidates("a=mid:0\r\n" + some)
    assert peer._ice is not None
    assert len(peer._ice.getRemoteCandidates()) == 16
    with pytest.raises(BadOffer, match="no ICE restart"):
        await peer.add_candidates("a=ice-ufrag:other\r\n")
    await peer.close()
    with pytest.raises(Closed):
        await peer.add_candidates("")


async def test_a_peer_answers_one_offer(chrome_offer: str) -> None:
    peer = Peer(LOOPBACK)
    await peer.answer(chrome_offer)
    with pytest.raises(Closed):
        await peer.answer(chrome_offer)
    await peer.close()


async def test_an_advertised_address_takes_the_place_of_the_bound_one(chrome_offer: str) -> None:
    peer = Peer(PeerConfig(media_addresses=("127.0.0.1", "::1"), advertised_address="198.51.100.4"))
    answer = await peer.answer(chrome_offer)
    await peer.close()
    assert "127.0.0.1" not in answer
    assert "::1" not in answer
    assert answer.count(" 198.51.100.4 ") == 2


async def test_ports_come_from_the_range_and_run_out_with_503(chrome_offer: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        baseline = asyncio.all_tasks()
        peer = Peer(PeerConfig(media_addresses=("127.0.0.1",), ports=range(port, port + 1)))
        with pytest.raises(Unavailable) as caught:
            await peer.answer(chrome_offer)
        assert caught.value.status == 503
        assert caught.value.retry_after_s is not None
        assert not await settled_tasks(baseline)
    peer = Peer(PeerConfig(media_addresses=("127.0.0.1",), ports=range(port, port + 1)))
    assert f"m=audio {port} " in await peer.answer(chrome_offer)
    await peer.close()


async def test_a_caller_who_never_connects_is_let_go(chrome_offer: str) -> None:
    peer = Peer(PeerConfig(media_addresses=("127.0.0.1",), connect_timeout_s=0.1))
    await peer.answer(chrome_offer)
    events = [event async for event in peer.events()]
    assert len(events) == 1
    assert isinstance(events[0], LegGone)
    assert events[0].reason == "connect timeout: no media connection within 0.1 s"
    await peer.close()


async def test_silence_of_everything_suspends_and_the_first_packet_resumes(
    connect: Connect, make_tone: Any
) -> None:
    pulled = 0
    pull = make_tone(880)

    def counted(samples: int) -> bytes:
        nonlocal pulled
        pulled += 1
        frame: bytes = pull(samples)
        return frame

    config = PeerConfig(media_addresses=("127.0.0.1",), suspend_after_s=0.5)
    async with connect(config=config, pull=counted) as call:
        await call.until(lambda: len(call.heard) > 0)
        ice = call.caller.pc.getTransceivers()[0].receiver.transport.transport
        send = private.ice_sender(ice)
        hole = True

        async def black_hole(data: bytes) -> None:
            if not hole:
                await send(data)

        private.replace_ice_send(ice, black_hole)
        begin = time.monotonic()
        await call.until(lambda: call.saw(LegSuspended))
        assert 0.4 < time.monotonic() - begin < 1.5
        at_rest = pulled
        await asyncio.sleep(0.2)
        assert pulled == at_rest  # playout stands still while nobody hears it
        hole = False
        await call.until(lambda: call.saw(LegResumed))
        resumed = next(event for event in call.events if isinstance(event, LegResumed))
        assert 500 <= resumed.gap_ms < 3000
        await call.until(lambda: pulled > at_rest)


@pytest.mark.parametrize("only_the_channel", [True, False])
async def test_a_caller_who_hangs_up_is_gone_at_once(connect: Connect, only_the_channel: bool) -> None:
    async with connect() as call:
        if only_the_channel:
            call.caller.channel.close()
        else:
            await call.caller.close()
        await call.until(lambda: call.saw(LegGone), timeout_s=2.0)
        assert call.events[-1] == LegGone("the caller hung up")


async def test_a_caller_whose_consent_is_lost_is_gone(connect: Connect) -> None:
    async with connect() as call:
        # What aioice does by itself when six consent checks in a row went unanswered (RFC 7675), after 30 s.
        await private.connection_of(call.peer._ice).close()
        await call.until(lambda: call.saw(LegGone))
        assert call.events[-1] == LegGone("consent lost: the caller answers no more")
        assert call.peer.stats()["rtp.unsent"] <= 1


async def test_a_caller_with_another_certificate_than_offered_is_gone(connect: Connect) -> None:
    def other(sdp: str) -> str:
        digest = sdp.split("a=fingerprint:sha-256 ", 1)[1]
        wrong = "00" if digest[:2] != "00" else "01"
        return sdp.replace(f"sha-256 {digest[:95]}", f"sha-256 {wrong}{digest[2:95]}")

    peer, caller = Peer(LOOPBACK), WireCaller(speak=bytes_of_silence, listen=lambda pcm: None)
    await caller.accept(await peer.answer(other(await caller.offer())))
    events = [event async for event in peer.events()]
    assert events == [LegGone("ICE or DTLS failed")]
    await caller.close()
    await peer.close()


async def test_audio_that_still_comes_after_the_end_is_not_heard_and_sets_no_timer(connect: Connect) -> None:
    async with connect() as call:
        await call.until(lambda: len(call.heard) > 0)
        call.caller.pc.createDataChannel("second")
        await call.until(lambda: call.saw(LegGone))
        heard, dropped = len(call.heard), call.peer.stats().get("gate.drop.media_early", 0)
        await call.until(lambda: call.peer.stats()["gate.drop.media_early"] >= dropped + 5)
        assert len(call.heard) == heard
        assert call.peer._ears._timer is None
        assert call.peer._ears._idle_timer is None


async def test_messages_that_nobody_reads_are_dropped_and_the_end_still_fits() -> None:
    peer, caller = Peer(LOOPBACK), WireCaller(speak=bytes_of_silence, listen=lambda pcm: None)
    await caller.accept(await peer.answer(await caller.offer()))
    await caller.opened()
    for _ in range(1000):
        peer._channel._message("{}")
    await peer.close()
    await caller.close()
    events = [event async for event in peer.events()]
    assert len(events) <= 512
    assert isinstance(events[-1], LegGone)
    assert peer.stats()["channel.inbox_full"] >= 490


async def test_audio_attached_after_the_leg_is_up_flows_too() -> None:
    peer, caller = Peer(LOOPBACK), WireCaller(speak=bytes_of_silence, listen=lambda pcm: None)
    await caller.accept(await peer.answer(await caller.offer()))
    assert isinstance(await anext(aiter(peer.events())), LegUp)
    heard = asyncio.Event()
    peer.attach(pull=bytes_of_silence, hear=lambda pcm: heard.set())
    await asyncio.wait_for(heard.wait(), 2.0)
    await caller.close()
    await peer.close()


async def test_after_close_the_caller_is_told_and_the_last_event_has_arrived(connect: Connect) -> None:
    async with connect() as call:
        call.peer.send('{"type":"rtbridge.call.closed"}')
        await call.peer.close()
        await asyncio.wait_for(call.caller.ended(), 2.0)
        assert call.messages == ['{"type":"rtbridge.call.closed"}']
        assert call.events[-1] == LegGone("closed")
        call.peer.send("{}")
        assert call.peer.stats()["channel.unsent"] == 1


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
        await asyncio.wait_for(call.caller.ended(), 2.0)
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


def bytes_of_silence(samples: int) -> bytes:
    return bytes(samples * 2)


@pytest.mark.parametrize(
    "profile",
    [
        Profile(loss=0.05, seed=3),
        Profile(loss=0.10, reorder=0.05, jitter_ms=20, seed=4),
        Profile(reorder=0.10, reorder_ms=30, seed=5),
    ],
    ids=["5 % loss", "10 % loss, reordering and jitter", "10 % reordering"],
)
async def test_the_sample_count_is_rtp_time_at_every_impairment(connect: Connect, profile: Profile) -> None:
    async with connect(impairment=profile) as call:
        await call.until(lambda: call.peer.stats().get("mic.packets", 0) >= 90)
        ears = call.peer._ears
        assert ears is not None
        stats = call.peer.stats()
        reception = call.peer._media.reception
        expected = reception.received + reception.lost  # every sequence number up to the highest
        waiting = 3  # behind a gap, at most 40 ms
        assert stats["mic.samples"] / FRAME_SAMPLES == pytest.approx(expected, abs=1 + waiting)
        assert call.caller.impairment.lost + call.caller.impairment.reordered > 0
        if profile.loss == 0:
            assert stats["mic.silence_ms"] <= 60
        assert stats["mic.anchored"] == 1


async def test_fifty_calls_leave_nothing_behind() -> None:
    async def one() -> None:
        peer, caller = Peer(LOOPBACK), WireCaller(speak=bytes_of_silence, listen=lambda pcm: None)
        await caller.accept(await peer.answer(await caller.offer()))
        await caller.opened()
        await caller.close()
        await peer.close()
        await peer.close()

    await one()  # what stays for the whole process: libopus, the executor, the resolver
    gc.collect()
    tasks, threads, fds = asyncio.all_tasks(), threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        await one()
    assert not await settled_tasks(tasks)
    gc.collect()
    assert threading.active_count() <= threads
    assert len(os.listdir("/proc/self/fd")) == fds


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


async def test_a_bug_in_the_audio_road_ends_the_call_with_a_reason(connect: Connect, caplog: Any) -> None:
    calls = 0

    def broken(samples: int) -> bytes:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise RuntimeError("boom")
        return bytes(samples * 2)

    async with connect(pull=broken) as call:
        await call.until(lambda: call.saw(LegGone))
        assert call.events[-1] == LegGone("internal error (RuntimeError)")
    assert "leg.failed" in caplog.text
