"""The leg over real UDP on loopback, with stock aiortc at the far end: audio, events, watchdogs, its end."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from typing import Any

import numpy as np
import pytest

from peer_rig import LOOPBACK, PATIENCE_S, Connect, bytes_of_silence, settled_tasks
from rtbridge.core.leg import LegGone, LegMessage, LegResumed, LegSuspended, LegUp
from rtbridge.core.pcm import FRAME_SAMPLES, RATE
from rtbridge.rtc import private
from rtbridge.rtc.client import WireCaller
from rtbridge.rtc.impair import Profile
from rtbridge.rtc.peer import Peer, PeerConfig

pytestmark = pytest.mark.wire


def pitch(pcm: bytes) -> tuple[float, float]:
    """Return frequency in Hz and amplitude of the loudest tone in the second half of `pcm`."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    samples = samples[samples.size // 2 :]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * RATE / samples.size), float(np.sqrt(2 * np.mean(samples**2)))


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
    await asyncio.wait_for(heard.wait(), PATIENCE_S)
    await caller.close()
    await peer.close()


async def test_after_close_the_caller_is_told_and_the_last_event_has_arrived(connect: Connect) -> None:
    async with connect() as call:
        call.peer.send('{"type":"rtbridge.call.closed"}')
        await call.peer.close()
        await asyncio.wait_for(call.caller.ended(), PATIENCE_S)
        assert call.messages == ['{"type":"rtbridge.call.closed"}']
        assert call.events[-1] == LegGone("closed")
        call.peer.send("{}")
        assert call.peer.stats()["channel.unsent"] == 1


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
        assert call.caller.uplink.network.lost + call.caller.uplink.network.reordered > 0
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
