"""Keys over real DTLS and SRTP: negotiated as a browser would, heard once each, on a network that loses packets too."""

from __future__ import annotations

import re
from typing import Any

import pytest

from peer_rig import LOOPBACK, Connect
from rtbridge.core.leg import LegKey
from rtbridge.errors import Closed
from rtbridge.rtc.impair import Profile
from rtbridge.rtc.offer import parse_offer
from rtbridge.rtc.peer import Peer

BAD = Profile(loss=0.1, burst=2, jitter_ms=20, reorder=0.02, seed=7)


def keys(call: Any) -> str:
    return "".join(event.key for event in call.events if isinstance(event, LegKey))


@pytest.mark.parametrize("network", [None, BAD], ids=["good", "bad"])
async def test_every_key_arrives_once_and_in_order(connect: Connect, network: Profile | None) -> None:
    async with connect(impairment=network) as call:
        assert call.caller.takes_keys
        for key in "0123456789*#ABCD":
            call.caller.press(key)
        await call.until(lambda: len(keys(call)) >= 16)
        assert keys(call) == "0123456789*#ABCD"
        stats = call.peer.stats()
        assert stats["mic.wrong_payload_type"] == 0
        if network is None:
            assert (stats["mic.lost"], stats["uplink.lost"]) == (0, 0)


async def test_an_answer_takes_the_telephone_events_of_the_codecs_clock(chrome_offer: str) -> None:
    peer = Peer(LOOPBACK)
    try:
        audio = (await peer.answer(chrome_offer)).split("m=application")[0].split("\r\n")
    finally:
        await peer.close()
    (line,) = [line for line in audio if line.startswith("m=")]
    assert re.fullmatch(r"m=audio \d+ UDP/TLS/RTP/SAVPF 111 110", line)
    assert "a=rtpmap:110 telephone-event/48000" in audio
    assert "a=fmtp:110 0-15" in audio


def test_whoever_offers_one_clock_only_keeps_to_it(chrome_offer: str) -> None:
    assert parse_offer(chrome_offer).key_type == (110, 48_000)
    firefox = chrome_offer.replace("a=rtpmap:110 telephone-event/48000\r\n", "")
    assert parse_offer(firefox).key_type == (126, 8_000)
    unlisted = firefox.replace(" 110 126", "")
    assert parse_offer(unlisted).key_type is None
    telephone = chrome_offer.replace("111 63 9 0", "0 111 63 9")
    assert parse_offer(telephone).key_type == (126, 8_000)


async def test_an_offer_without_telephone_events_is_answered_without(connect: Connect) -> None:
    def bare(offer: str) -> str:
        offer = re.sub(r"a=rtpmap:1\d\d telephone-event/\d+\r\n", "", offer)
        return offer.replace(" 110 126\r\n", "\r\n")

    async with connect(rewrite_offer=bare) as call:
        assert not call.caller.takes_keys
        with pytest.raises(Closed, match="takes no telephone-events"):
            call.caller.press("1")
