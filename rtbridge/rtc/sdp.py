"""The lines of an SDP offer (RFC 8866), read and bounded one by one, before anybody asks what they mean together. Pure.

Linear in the text, which is bounded first: a bomb of 10,000 candidates is refused at its 33rd. Attributes that a
voice call does not need are not read at all, and go nowhere (see offer.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from rtbridge.rtc.candidates import MAX_CANDIDATES, clip, number, refused

MAX_BYTES: Final = 32 * 1024
MAX_LINE: Final = 4 * 1024
MAX_LINES: Final = 512  # a browser's offer of audio, video and data has 250
MAX_SECTIONS: Final = 4
MAX_MAPS: Final = 64  # rtpmap lines, and as many fmtp lines

DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")

_LINE: Final = re.compile(r"[a-z]=[^\x00-\x1f\x7f]*")
_M_LINE: Final = re.compile(r"m=([a-z]{1,16}) ([0-9]{1,5})(?:/[0-9]{1,3})? ([A-Z/]{1,32}) ([ -~]+)")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")  # RFC 8866 §9
_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")  # RFC 8839 §5.4
_PWD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_SHA_256: Final = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31}")
_RTPMAP: Final = re.compile(r"([0-9]{1,3}) ([A-Za-z0-9_.-]{1,32})/([0-9]{1,7})(?:/([0-9]{1,2}))?")


@dataclass(slots=True)
class TransportLines:
    """ICE and DTLS attributes, of the session or of one section."""

    ufrag: str | None = None
    pwd: str | None = None
    setup: str | None = None
    fingerprints: set[str] = field(default_factory=set)  # sha-256, upper case
    other_fingerprints: set[str] = field(default_factory=set)  # names of other hash functions


@dataclass(slots=True)
class SectionLines:
    """What one media section says."""

    kind: str
    port: int
    profile: str
    formats: tuple[str, ...]
    line: int
    mid: str | None = None
    direction: str | None = None
    bundle_only: bool = False
    rtcp_mux: bool = False
    codecs: dict[int, str] = field(default_factory=dict)  # payload type -> name/rate/channels
    sctp_port: int | None = None
    max_message_size: int = 65_536  # RFC 8841 §6.1: when the attribute is missing
    transport: TransportLines = field(default_factory=TransportLines)
    candidates: list[tuple[str, int]] = field(default_factory=list)  # value, line


class SdpLines:
    """The lines of one offer, each read and bounded. Raises BadOffer on construction."""

    def __init__(self, sdp: str) -> None:
        self.session = TransportLines()
        self.sections: list[SectionLines] = []
        self.bundles: list[tuple[str, ...]] = []
        self.ice_lite = False
        self._candidates = self._rtpmaps = self._fmtps = 0
        # A character is a byte at least; the caller of an HTTP server has bounded the bytes already.
        if len(sdp) > MAX_BYTES or len(sdp.encode(errors="replace")) > MAX_BYTES:
            raise refused("sdp_too_large", 0, f"has more than {MAX_BYTES} bytes")
        lines = [line.removesuffix("\r") for line in sdp.rstrip("\r\n").split("\n")]
        if len(lines) > MAX_LINES:
            raise refused("sdp_too_large", 0, f"has {len(lines)} lines; {MAX_LINES} are the most")
        if lines[0] != "v=0":
            raise refused("bad_line", 1, f"is {clip(lines[0])!r}; an offer begins with v=0")
        for at, line in enumerate(lines, 1):
            if len(line) > MAX_LINE:
                raise refused("line_too_long", at, f"has {len(line)} characters; {MAX_LINE} are the most")
            if not _LINE.fullmatch(line):
                raise refused("bad_line", at, f"is {clip(line)!r}, not a letter, '=' and text")
            if line.startswith("m="):
                self._open(line, at)
            elif line.startswith("a="):
                name, _, value = line[2:].partition(":")
                self._attribute(name, value, at)

    def _open(self, line: str, at: int) -> None:
        if len(self.sections) == MAX_SECTIONS:
            raise refused(
                "too_many_sections",
                at,
                f"opens media section {MAX_SECTIONS + 1}; {MAX_SECTIONS} are the most",
            )
        match = _M_LINE.fullmatch(line)
        if match is None:
            raise refused("bad_line", at, f"is {clip(line)!r}; m= wants: kind port profile formats")
        kind, port, profile, formats = match.groups()
        listed = tuple(formats.split())
        if len(listed) > MAX_MAPS:
            raise refused("too_many_codecs", at, f"lists {len(listed)} formats; {MAX_MAPS} are the most")
        port_number = number(port, 0, 65_535, "the port", at)
        self.sections.append(SectionLines(kind, port_number, profile, listed, at))

    def _attribute(self, name: str, value: str, at: int) -> None:
        section = self.sections[-1] if self.sections else None
        transport = section.transport if section else self.session
        if name == "candidate":
            self._candidates += 1
            if self._candidates > MAX_CANDIDATES:
                raise refused(
                    "too_many_candidates",
                    at,
                    f"is candidate {MAX_CANDIDATES + 1}; {MAX_CANDIDATES} are the most",
                )
            if section is not None:
                section.candidates.append((value, at))
        elif name == "ice-ufrag":
            if not _UFRAG.fullmatch(value):
                raise refused("bad_ice", at, "a=ice-ufrag wants 4 to 256 letters, digits, + or / (RFC 8839)")
            transport.ufrag = value
        elif name == "ice-pwd":
            if not _PWD.fullmatch(value):
                raise refused("bad_ice", at, "a=ice-pwd wants 22 to 256 letters, digits, + or / (RFC 8839)")
            transport.pwd = value
        elif name == "ice-lite":
            self.ice_lite = True
        elif name == "setup":
            if value not in ("actpass", "active", "passive"):
                raise refused("bad_setup", at, f"a=setup is {clip(value)!r}, not actpass, active or passive")
            transport.setup = value
        elif name == "fingerprint":
            self._fingerprint(transport, value, at)
        elif name == "group":
            semantics, *mids = value.split(" ")
            if semantics == "BUNDLE":
                self.bundles.append(tuple(mids))
        elif section is not None:
            self._section_attribute(section, name, value, at)

    def _fingerprint(self, transport: TransportLines, value: str, at: int) -> None:
        algorithm, _, digest = value.partition(" ")
        if algorithm.lower() != "sha-256":
            if not _TOKEN.fullmatch(algorithm):
                raise refused("bad_fingerprint", at, "a=fingerprint wants: hash-function digest")
            transport.other_fingerprints.add(algorithm)
        elif _SHA_256.fullmatch(digest):
            transport.fingerprints.add(digest.upper())
        else:
            raise refused(
                "bad_fingerprint", at, "a sha-256 fingerprint wants 32 pairs of hex digits, ':' between them"
            )

    def _section_attribute(self, section: SectionLines, name: str, value: str, at: int) -> None:
        if name == "mid":
            if not _TOKEN.fullmatch(value):
                raise refused("bad_mid", at, f"a=mid is {clip(value)!r}, not a token")
            if any(other.mid == value for other in self.sections):
                raise refused("bad_mid", at, f"a=mid:{clip(value)} is there twice")
            section.mid = value
        elif name in DIRECTIONS:
            if section.direction not in (None, name):
                raise refused(
                    "bad_direction", at, f"is a={name}, but this section is {section.direction} already"
                )
            section.direction = name
        elif name == "rtcp-mux":
            section.rtcp_mux = True
        elif name == "bundle-only":
            section.bundle_only = True
        elif name == "rtpmap":
            self._rtpmap(section, value, at)
        elif name == "fmtp":
            self._fmtps += 1
            if self._fmtps > MAX_MAPS:
                raise refused("too_many_codecs", at, f"is fmtp {MAX_MAPS + 1}; {MAX_MAPS} are the most")
        elif name == "sctp-port":
            section.sctp_port = number(value, 1, 65_535, "a=sctp-port", at)
        elif name == "max-message-size":
            section.max_message_size = number(value, 0, 0xFFFFFFFF, "a=max-message-size", at)

    def _rtpmap(self, section: SectionLines, value: str, at: int) -> None:
        self._rtpmaps += 1
        if self._rtpmaps > MAX_MAPS:
            raise refused("too_many_codecs", at, f"is rtpmap {MAX_MAPS + 1}; {MAX_MAPS} are the most")
        match = _RTPMAP.fullmatch(value)
        if match is None:
            raise refused("bad_codec", at, f"a=rtpmap is {clip(value)!r}; it wants: payload-type name/rate")
        payload_type = number(match[1], 0, 127, "the payload type", at)
        if payload_type in section.codecs:
            raise refused("bad_codec", at, f"maps payload type {payload_type} a second time")
        section.codecs[payload_type] = "/".join(part for part in match.groups()[1:] if part is not None)
