"""The contract with aiortc and aioice: every private name, and what each is counted on for.

test_peer*.py use all of them in live calls; here is what would not show there.
"""

from __future__ import annotations

from collections.abc import Callable

import aioice
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtp import RtpPacket as StockRtpPacket

from rtbridge.errors import SettingsError
from rtbridge.rtc import private
from rtbridge.rtc.rtp import RtpPacket


async def test_the_installed_versions_have_every_name() -> None:
    private.self_test()


async def test_a_method_that_moved_stops_the_start_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(self: RTCRtpSender, parameters: object, extra: object) -> None:
        raise AssertionError

    monkeypatch.setattr(RTCRtpSender, "send", send)
    with pytest.raises(SettingsError, match=r"RTCRtpSender.send.*aiortc 1\.16"):
        private.self_test()


async def test_a_name_that_is_gone_stops_the_start_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(aioice.ice, "get_host_addresses")
    with pytest.raises(SettingsError, match="get_host_addresses"):
        private.self_test()


async def test_gathering_asks_ours_and_adopts_its_sockets() -> None:
    connection = private.Connection(ice_controlling=False)
    asked: list[object] = []
    candidate = aioice.Candidate("1", 1, "udp", 1, "127.0.0.1", 5000, "host")

    async def gather(component: int, addresses: object) -> list[aioice.Candidate]:
        asked.append(component)
        return [candidate]

    private.replace_gathering(connection, gather)
    await connection.gather_candidates()
    assert asked == [1]
    assert connection.local_candidates == [candidate]
    assert private.selected(connection) is None
    assert private.known_remotes(connection) == private.waiting_datagrams(connection) == 0
    assert not private.has_succeeded(connection, ("127.0.0.1", 1))


async def test_a_transport_that_never_started_is_settled() -> None:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver("audio")
    _, _, ice = private.peer_parts(pc)
    await private.settled(ice)
    await pc.close()


async def test_a_tapped_receiver_shows_each_rtp_packet_and_goes_on() -> None:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    receiver = pc.addTransceiver("audio").receiver
    seen: list[object] = []
    private.tap_rtp(receiver, seen.append)
    packet = StockRtpPacket(payload_type=9, marker=1, sequence_number=7, timestamp=160, ssrc=3, payload=b"x")
    await receiver._handle_rtp_packet(packet, arrival_time_ms=0)
    assert seen == [RtpPacket(9, True, 7, 160, 3, b"x")]
    await pc.close()


async def test_a_filter_decides_what_of_the_datagrams_is_received() -> None:
    connection = private.Connection(ice_controlling=False)

    def only_short(data: bytes, deliver: Callable[[bytes], None]) -> None:
        if len(data) < 3:
            deliver(data)

    private.filter_received(connection, only_short)
    connection.data_received(b"ab", 1)
    connection.data_received(b"abc", 1)
    assert private.waiting_datagrams(connection) == 1


async def test_what_is_sent_passes_through_a_rewrite_before_it_is_protected() -> None:
    pc = RTCPeerConnection()
    try:
        pc.addTransceiver("audio")
        dtls = pc.getTransceivers()[0].sender.transport
        sent: list[bytes] = []

        async def send_rtp(data: bytes) -> None:
            sent.append(data)

        setattr(dtls, "_send_rtp", send_rtp)  # noqa: B010
        private.rewrite_sent(dtls, bytes.upper)
        await dtls._send_rtp(b"packet")
        assert sent == [b"PACKET"]
    finally:
        await pc.close()
