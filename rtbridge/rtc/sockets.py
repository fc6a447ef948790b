"""Where media sockets are bound: the addresses and ports of the settings, and nothing else.

aioice would open an ephemeral port on every interface but loopback, and ask a STUN server. A server knows its
addresses: only those are bound (127.0.0.1 included when told), in the port range of the firewall rule, and the
host candidates are the answer, at once.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import random
import socket
from collections.abc import Callable

import aioice
import aioice.ice
from aioice.candidate import candidate_foundation, candidate_priority

from rtbridge.errors import SettingsError, Unavailable
from rtbridge.rtc import private

HOST_PREFERENCE = 65_535  # RFC 8445 §5.1.2.1: for the first address; the next ones count down


def host_addresses(configured: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses to bind: the configured ones, else all of this host's but loopback."""
    if configured:
        return configured
    return tuple(aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True))


def is_loopback(address: str) -> bool:
    """Tell whether a bound address is loopback. Raises SettingsError for what is no IP address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        raise SettingsError(
            f"RTBRIDGE_MEDIA_ADDRESSES has {address!r}, which is no IP address of this host"
        ) from None


def bind_udp(address: str, ports: range | None) -> socket.socket:
    """Return a UDP socket bound to `address`, on a port of `ports` or any.

    Raises Unavailable when all of the range is in use, OSError when the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.setblocking(False)
    try:
        if ports is None:
            udp.bind((address, 0))
            return udp
        # From a random place on, so that the port of an ended call is not the next one's at once.
        start = random.randrange(len(ports))
        for port in (*ports[start:], *ports[:start]):
            try:
                udp.bind((address, port))
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
            else:
                return udp
    except BaseException:
        udp.close()
        raise
    udp.close()
    raise Unavailable(
        f"all UDP ports {ports.start}-{ports.stop - 1} for media are in use: "
        "try again when a call has ended, or widen RTBRIDGE_MEDIA_PORTS",
        code="media_ports_exhausted",
        retry_after_s=5.0,
    )


async def gather(
    connection: private.Connection,
    protocol: Callable[[], private.StunProtocol],
    *,
    bind: tuple[str, ...],
    ports: range | None,
    component: int,
    addresses: object = None,
) -> list[aioice.Candidate]:
    """Bind one socket an address of `bind` and return their host candidates (RFC 8445 §5.1.1.1).

    `addresses` is what aioice would have bound, and is not used. Raises Unavailable when nothing could be bound,
    or the port range is used up.
    """
    loop = asyncio.get_running_loop()
    candidates: list[aioice.Candidate] = []
    refused: list[str] = []
    for index, address in enumerate(bind):
        try:
            udp = bind_udp(address, ports)
        except OSError as error:
            refused.append(f"{address} ({error.strerror})")
            continue
        host, port = udp.getsockname()[:2]
        _, bound = await loop.create_datagram_endpoint(protocol, sock=udp)
        bound.local_candidate = aioice.Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            priority=candidate_priority(component, "host", HOST_PREFERENCE - index),
            host=host,
            port=port,
            type="host",
        )
        private.adopt(connection, bound)
        candidates.append(bound.local_candidate)
    if not candidates:
        raise Unavailable(
            "no UDP socket for media could be bound: "
            + (", ".join(refused) or "this host has no address but loopback")
            + "; set RTBRIDGE_MEDIA_ADDRESSES to addresses of this host",
            code="no_media_address",
        )
    return candidates
