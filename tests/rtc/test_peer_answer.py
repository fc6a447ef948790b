"""What a peer answers to an offer, and the ways in which a caller comes to it: candidates, roles, addresses, ports."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from peer_rig import LOOPBACK, Connect, settled_tasks
from rtbridge.errors import BadOffer, Closed, Unavailable
from rtbridge.rtc.peer import Peer, PeerConfig

pytestmark = pytest.mark.wire


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
