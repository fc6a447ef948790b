"""The contract with aiortc and aioice: every private name, and what each is counted on for.

test_peer*.py use all of them in live calls; here is what would not show there.
"""

from __future__ import annotations

import aioice
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rtcrtpsender import RTCRtpSender

from rtbridge.errors import SettingsError
from rtbridge.rtc import private


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
