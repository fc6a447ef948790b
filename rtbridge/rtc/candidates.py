"""ICE candidates that a caller signals: parsed, bounded, and sorted by where their packets would go. Pure.

Every candidate is an address that somebody on the web tells this server to send packets to: one offer of 4 KB can
make a stock ICE agent send 350 of them, into the server's own network. So only global addresses are checked unless
the settings say otherwise. A caller on a private address still connects: their own checks reach us first, and ICE
answers where it was asked from (RFC 8445 §7.3.1.3). Names are never resolved: a `.local` that nobody answers for
costs a second of set-up (mDNS), and any other name is a way to make this server ask DNS.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rtbridge.errors import BadOffer

MAX_CANDIDATES: Final = 32  # signalled at once
MAX_KEPT: Final = 16  # checked
MAX_FRAGMENT_BYTES: Final = 8 * 1024

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds tell a machine its own secrets; most of these are link-local, these two are not.
_METADATA: Final = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254")))
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052 §2.1
_NAME: Final = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*\.?", re.ASCII
)
_FOUNDATION: Final = re.compile(r"[A-Za-z0-9+/]{1,32}", re.ASCII)
_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}", re.ASCII)
_TYPES: Final = frozenset({"host", "srflx", "prflx", "relay"})


@dataclass(frozen=True, slots=True)
class CandidatePolicy:
    """Which of a caller's addresses may be sent to."""

    loopback: bool = False  # only where our own media is on loopback
    elsewhere: bool = True  # anything but loopback: not from sockets that are all on loopback
    private: bool = False  # RFC 1918, RFC 4193, RFC 6598 and the like


@dataclass(frozen=True, slots=True)
class RemoteCandidate:
    """A UDP candidate of component 1 that may be checked."""

    foundation: str
    priority: int
    address: str
    port: int
    type: str

    def as_line(self) -> str:
        """Return the candidate-attribute's value (RFC 8839 §5.1), without related address."""
        return f"{self.foundation} 1 udp {self.priority} {self.address} {self.port} typ {self.type}"


def number(text: str, low: int, high: int, what: str, line: int) -> int:
    """Return a decimal number in [low, high]. Raises BadOffer naming the line."""
    # Ten digits hold 32 bits; int() of a long string is slow, and takes '+1', '1_0' and other scripts' digits.
    if len(text) <= 10 and text.isascii() and text.isdigit() and low <= int(text) <= high:
        return int(text)
    raise refused("bad_number", line, f"{what} is {clip(text)!r}, not a number from {low} to {high}")


def refused(code: str, line: int, message: str) -> BadOffer:
    """Return the error for one line of SDP, by its number from 1 (0: the whole text)."""
    where = f"line {line}: " if line else ""
    return BadOffer(f"SDP {where}{message}", code=code, param="sdp")


def clip(text: str, longest: int = 40) -> str:
    """Return `text` short enough for a message."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def may_send_to(address: IPAddress, policy: CandidatePolicy) -> bool:
    """Tell whether packets may go to `address`, whatever it is wrapped in."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is not None:
            return may_send_to(inner, policy)
    if address.is_loopback:
        return policy.loopback
    if not policy.elsewhere:
        return False
    if address.is_unspecified or address.is_multicast or address.is_link_local or address in _METADATA:
        return False
    if isinstance(address, ipaddress.IPv4Address) and address.is_reserved:  # 240.0.0.0/4, broadcast included
        return False
    return address.is_global or policy.private


def parse_candidate(value: str, line: int, policy: CandidatePolicy) -> RemoteCandidate | None:
    """Parse the value of one `a=candidate` line (RFC 8839 §5.1).

    Returns None for what is well-formed and of no use here: names, TCP, RTCP's component, addresses that may not be
    sent to. Raises BadOffer for what is not well-formed.
    """
    fields = value.split(" ")
    if len(fields) < 8 or fields[6] != "typ":
        raise refused(
            "bad_candidate",
            line,
            "a=candidate wants: foundation component transport priority address port typ",
        )
    foundation, component, transport, priority, host, port, _, kind = fields[:8]
    if not _FOUNDATION.fullmatch(foundation):
        raise refused("bad_candidate", line, f"the candidate's foundation is {clip(foundation)!r}")
    if kind not in _TYPES:
        raise refused("bad_candidate", line, f"the candidate's type is {clip(kind)!r}")
    part = number(component, 1, 256, "the candidate's component", line)
    rank = number(priority, 0, 0xFFFFFFFF, "the candidate's priority", line)
    udp_port = number(port, 0, 65_535, "the candidate's port", line)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not _NAME.fullmatch(host):
            raise refused("bad_candidate", line, f"the candidate's address is {clip(host)!r}") from None
        return None
    if part != 1 or transport.lower() != "udp" or kind == "prflx" or udp_port == 0:
        return None
    if not may_send_to(address, policy):
        return None
    return RemoteCandidate(foundation, rank, str(address), udp_port, kind)


def keep(candidates: Iterable[RemoteCandidate], room: int = MAX_KEPT) -> tuple[RemoteCandidate, ...]:
    """Return the first `room` candidates with different addresses, in the caller's order."""
    by_address: dict[tuple[str, int], RemoteCandidate] = {}
    for candidate in candidates:
        by_address.setdefault((candidate.address, candidate.port), candidate)
    return tuple(by_address.values())[: max(room, 0)]


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a trickled SDP fragment brings."""

    ufrag: str | None
    candidates: tuple[RemoteCandidate, ...]
    ended: bool


def parse_fragment(text: str, policy: CandidatePolicy, *, mid: str | None = None) -> Fragment:
    """Parse an `application/trickle-ice-sdpfrag` body (RFC 8840 §9).

    With `mid`, candidates of other media sections are left out: all sections share the transport of that one.
    Raises BadOffer with what is wrong and where.
    """
    if len(text) > MAX_FRAGMENT_BYTES:
        raise refused(
            "sdp_too_large", 0, f"fragment has {len(text)} characters; {MAX_FRAGMENT_BYTES} are the most"
        )
    ufrag: str | None = None
    section: str | None = None
    found: list[RemoteCandidate] = []
    seen, ended = 0, False
    for line, raw in enumerate(text.split("\n"), 1):
        attribute = raw.removesuffix("\r")
        if not attribute:
            continue
        if attribute.startswith("m="):
            section = None
            continue
        if not attribute.startswith("a="):
            raise refused("bad_line", line, f"is {clip(attribute)!r}; a fragment has a= and m= lines only")
        name, _, value = attribute[2:].partition(":")
        if name == "mid":
            section = value
        elif name == "ice-ufrag":
            if not _UFRAG.fullmatch(value):
                raise refused("bad_ice", line, "a=ice-ufrag wants 4 to 256 letters, digits, + or /")
            ufrag = value
        elif name == "end-of-candidates":
            ended = True
        elif name == "candidate":
            seen += 1
            if seen > MAX_CANDIDATES:
                raise refused(
                    "too_many_candidates", line, f"is candidate {seen}; {MAX_CANDIDATES} are the most"
                )
            candidate = parse_candidate(value, line, policy)
            if candidate is not None and (mid is None or section is None or section == mid):
                found.append(candidate)
    return Fragment(ufrag, keep(found), ended)
