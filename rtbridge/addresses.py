"""Where things listen and come from, as text: hosts, web origins and port ranges. Pure; nothing is resolved."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_PORT_RANGE: Final = re.compile(r"(\d{1,5})-(\d{1,5})")


def is_loopback(host: str) -> bool:
    """Tell whether a bind address is loopback. A name other than localhost is not: it may resolve to anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_origin(text: str) -> bool:
    """Tell whether text is a web origin as browsers serialise it (RFC 6454 §6.2): scheme, host, no path."""
    return re.fullmatch(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?", text) is not None


def parse_ports(ports: str) -> tuple[int, int] | None:
    """Return first and last port of "50000-50100", both included; None for "" (any port). Raises ValueError."""
    if not ports:
        return None
    found = _PORT_RANGE.fullmatch(ports)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1024 <= first <= last <= 65535:
        raise ValueError(f"{ports!r} is not a range of ports within 1024-65535, like 50000-50100")
    return first, last
