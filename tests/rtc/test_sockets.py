"""Media sockets: which addresses, which ports, and what is said when there is none."""

from __future__ import annotations

import socket

import pytest

from rtbridge.errors import SettingsError, Unavailable
from rtbridge.rtc import sockets
from rtbridge.rtc.config import PeerConfig
from rtbridge.rtc.private import Connection, StunProtocol
from rtbridge.settings import Settings


def test_configured_addresses_are_the_only_ones() -> None:
    assert sockets.host_addresses(("127.0.0.1",)) == ("127.0.0.1",)
    assert "127.0.0.1" not in sockets.host_addresses(())


def test_loopback_is_told_apart_and_nonsense_is_named() -> None:
    assert sockets.is_loopback("127.0.0.1")
    assert sockets.is_loopback("::1")
    assert not sockets.is_loopback("192.0.2.1")
    with pytest.raises(SettingsError, match="'eth0'"):
        sockets.is_loopback("eth0")


def test_a_range_is_used_to_its_last_port_and_then_unavailable() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ports = range(port, port + 1)
    with sockets.bind_udp("127.0.0.1", ports) as first:
        assert first.getsockname()[1] == port
        with pytest.raises(Unavailable, match=f"{port}-{port}") as caught:
            sockets.bind_udp("127.0.0.1", ports)
        assert caught.value.code == "media_ports_exhausted"


def test_an_address_that_is_not_ours_cannot_be_bound() -> None:
    for ports in (None, range(50_000, 50_002)):
        with pytest.raises(OSError, match="assign requested address"):
            sockets.bind_udp("192.0.2.1", ports)


async def test_addresses_that_cannot_be_bound_are_left_out_and_none_at_all_is_unavailable() -> None:
    connection = Connection(ice_controlling=False)

    def protocol() -> StunProtocol:
        return StunProtocol(connection)

    found = await sockets.gather(
        connection, protocol, bind=("192.0.2.1", "127.0.0.1", "::1"), ports=None, component=1
    )
    assert [candidate.host for candidate in found] == ["127.0.0.1", "::1"]
    assert found[0].priority > found[1].priority
    with pytest.raises(Unavailable, match=r"192\.0\.2\.1.*RTBRIDGE_MEDIA_ADDRESSES"):
        await sockets.gather(connection, protocol, bind=("192.0.2.1",), ports=None, component=1)
    with pytest.raises(Unavailable, match="no address but loopback"):
        await sockets.gather(connection, protocol, bind=(), ports=None, component=1)
    await connection.close()


def test_the_settings_say_what_a_peer_does() -> None:
    assert PeerConfig.of(Settings()).media_addresses == ("127.0.0.1",)
    config = PeerConfig.of(
        Settings(
            host="0.0.0.0",
            media_ports="50000-50100",
            advertised_address="198.51.100.4",
            connect_timeout_s=5,
            suspend_after_s=2,
        )
    )
    assert config.media_addresses == ()
    assert config.ports == range(50_000, 50_101)
    assert config.advertised_address == "198.51.100.4"
    assert (config.connect_timeout_s, config.suspend_after_s) == (5, 2)
