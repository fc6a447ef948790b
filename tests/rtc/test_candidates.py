"""Where a caller's candidates may send us: M5 and M6 of the reliability list."""

from __future__ import annotations

import ipaddress

import pytest

from rtbridge.errors import BadOffer
from rtbridge.rtc.candidates import (
    MAX_KEPT,
    CandidatePolicy,
    RemoteCandidate,
    keep,
    may_send_to,
    parse_candidate,
    parse_fragment,
)

ANYWHERE = CandidatePolicy(loopback=True, private=True)
FAR = "1.1.1.1"
LINE = "842163049 1 udp 1677729535 {} 46154 typ srflx raddr 10.0.0.1 rport 5000 generation 0"


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "::", "255.255.255.255", "240.0.0.1", "224.0.0.251", "ff02::fb", "169.254.169.254", "fe80::1",
        "fe80::1%eth0", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254", "2002:a9fe:a9fe::1",
        "64:ff9b::a9fe:a9fe",
    ],
)  # fmt: skip
def test_no_policy_sends_to_special_addresses(address: str) -> None:
    assert not may_send_to(ipaddress.ip_address(address), ANYWHERE)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "fd12:3456::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
    ],
)
def test_private_addresses_are_sent_to_only_where_allowed(address: str) -> None:
    assert not may_send_to(ipaddress.ip_address(address), CandidatePolicy())
    assert may_send_to(ipaddress.ip_address(address), CandidatePolicy(private=True))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "2002:7f00:1::"])
def test_loopback_is_sent_to_only_by_media_on_loopback(address: str) -> None:
    assert not may_send_to(ipaddress.ip_address(address), CandidatePolicy(private=True))
    assert may_send_to(ipaddress.ip_address(address), CandidatePolicy(loopback=True, elsewhere=False))


def test_sockets_on_loopback_send_nowhere_else() -> None:
    assert not may_send_to(ipaddress.ip_address(FAR), CandidatePolicy(loopback=True, elsewhere=False))


def test_teredo_is_judged_by_the_client_inside() -> None:
    inside = int.from_bytes(bytes(255 - byte for byte in ipaddress.IPv4Address("127.0.0.1").packed), "big")
    teredo = ipaddress.IPv6Address((0x20010000 << 96) | inside)
    assert not may_send_to(teredo, CandidatePolicy(private=True))


def test_a_candidate_is_read_and_written_without_its_related_address() -> None:
    candidate = parse_candidate(LINE.format(FAR), 1, CandidatePolicy())
    assert candidate == RemoteCandidate("842163049", 1_677_729_535, FAR, 46_154, "srflx")
    assert candidate.as_line() == "842163049 1 udp 1677729535 1.1.1.1 46154 typ srflx"


@pytest.mark.parametrize(
    "value",
    [
        LINE.format("d3adbeef-0000-4000-8000-000000000001.local"),
        LINE.format("turn.example.org"),
        LINE.format(FAR).replace(" udp ", " tcp "),
        LINE.format(FAR).replace(" 1 udp", " 2 udp"),
        LINE.format(FAR).replace("srflx", "prflx"),
        LINE.format(FAR).replace("46154", "0"),
        LINE.format("10.1.1.1"),
    ],
)
def test_what_is_of_no_use_is_dropped_without_complaint(value: str) -> None:
    assert parse_candidate(value, 1, CandidatePolicy()) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        LINE.format("not an address"),
        LINE.format("-.-"),
        LINE.format(FAR).replace("842163049", "a b"),
        LINE.format(FAR).replace("842163049", "_"),
        LINE.format(FAR).replace("1677729535", "4294967296"),
        LINE.format(FAR).replace(" 1 udp", " 0 udp"),
        LINE.format(FAR).replace("46154", "+1"),
        LINE.format(FAR).replace("46154", "\u0661"),
        LINE.format(FAR).replace("srflx", "best"),
    ],
)
def test_what_is_malformed_is_refused_by_line(value: str) -> None:
    with pytest.raises(BadOffer, match="SDP line 17: "):
        parse_candidate(value, 17, CandidatePolicy())


def test_sixteen_different_addresses_are_kept() -> None:
    some = [RemoteCandidate(str(n), 1, FAR, 5000 + n // 2, "host") for n in range(100)]
    kept = keep(some)
    assert len(kept) == MAX_KEPT
    assert [candidate.port for candidate in kept] == list(range(5000, 5016))


FRAGMENT = (
    "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    "a=candidate:1387637174 1 UDP 2122260223 1.1.1.1 61764 typ host generation 0\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n"
    "a=candidate:1387637174 1 udp 2122260223 1.1.1.2 61764 typ host generation 0\r\na=end-of-candidates\r\n"
)


def test_a_trickled_fragment_gives_the_candidates_of_its_section() -> None:
    fragment = parse_fragment(FRAGMENT, CandidatePolicy(), mid="0")
    assert fragment.ufrag == "EsAw"
    assert [candidate.address for candidate in fragment.candidates] == ["1.1.1.1"]
    assert fragment.ended
    assert len(parse_fragment(FRAGMENT, CandidatePolicy()).candidates) == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hello", "bad_line"),
        ("a=ice-ufrag:x", "bad_ice"),
        ("a=candidate:1", "bad_candidate"),
        ("a=candidate:1 1 udp 1 1.1.1.1 5000 typ host\n" * 33, "too_many_candidates"),
        ("a=x\n" * 4000, "sdp_too_large"),
    ],
)
def test_a_broken_fragment_is_refused(text: str, code: str) -> None:
    with pytest.raises(BadOffer) as caught:
        parse_fragment(text, CandidatePolicy())
    assert caught.value.code == code


def test_an_empty_fragment_brings_nothing() -> None:
    assert parse_fragment("\r\n", CandidatePolicy()).candidates == ()
