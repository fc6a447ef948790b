"""Offers as Chromium and Firefox shape them, what goes wrong with offers, and offers made to hurt.

A mutation takes the lines of an offer and returns bytes, which need be neither SDP nor text. All chance is the
caller's, so that a seed gives the same mutants every time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

FINGERPRINT = ":".join(f"{n:02X}" for n in range(100, 132))


def _sdp(text: str) -> str:
    return text.strip().replace("\n", "\r\n") + "\r\n"


CHROMIUM = _sdp(f"""
v=0
o=- 5914361042874105283 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS 4d2f
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:2317230227 1 udp 2113937151 6f1d3b5e-38a4-4c1b-9b37-31f1f0b4d7a0.local 51472 typ host generation 0
a=candidate:842163049 1 udp 1677729535 203.0.113.7 51472 typ srflx raddr 0.0.0.0 rport 0 generation 0
a=ice-ufrag:Xq3T
a=ice-pwd:kZ8m1Qw2Er3Ty4Ui5Op6As7D
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:4d2f 8c1e
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:2231627014 cname:q1W2e3R4
a=ssrc:2231627014 msid:4d2f 8c1e
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:Xq3T
a=ice-pwd:kZ8m1Qw2Er3Ty4Ui5Op6As7D
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=mid:1
a=sctp-port:5000
a=max-message-size:262144
""")

FIREFOX = _sdp(f"""
v=0
o=mozilla...THIS_IS_SDPARTA-99.0 7304512296611854201 0 IN IP4 0.0.0.0
s=-
t=0 0
a=fingerprint:sha-256 {FINGERPRINT}
a=group:BUNDLE 0 1
a=ice-options:trickle
a=msid-semantic:WMS *
m=audio 54321 UDP/TLS/RTP/SAVPF 109 9 0 8 101
c=IN IP4 203.0.113.7
a=candidate:0 1 UDP 2122252543 8a5c2d7e-1b6f-4f0e-a7c9-52d8e3f4b6a1.local 54321 typ host
a=candidate:1 1 TCP 2105524479 8a5c2d7e-1b6f-4f0e-a7c9-52d8e3f4b6a1.local 9 typ host tcptype active
a=candidate:2 1 UDP 1686052863 203.0.113.7 54321 typ srflx raddr 0.0.0.0 rport 0
a=sendrecv
a=end-of-candidates
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=fmtp:101 0-15
a=ice-pwd:0f1e2d3c4b5a69788796a5b4c3d2e1f0
a=ice-ufrag:9f8e7d6c
a=mid:0
a=msid:{{b2f4}} {{c3a5}}
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000/1
a=setup:actpass
a=ssrc:3141592653 cname:{{d4e6}}
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=sendrecv
a=ice-pwd:0f1e2d3c4b5a69788796a5b4c3d2e1f0
a=ice-ufrag:9f8e7d6c
a=mid:1
a=setup:actpass
a=sctp-port:5000
a=max-message-size:1073741823
""")

Mutation = Callable[[list[str], random.Random], str | bytes]
NUMBERS = ("-1", "0", "65536", "99999999999999999999", "1e9", "0x10", "+5", "1_0", "\u0661\u0662", "9" * 3000)
CANDIDATES = (
    "1 1 udp 1 127.0.0.1 1 typ host",
    "1 1 udp 1 255.255.255.255 5000 typ host",
    "1 1 udp 1 224.0.0.1 5000 typ host",
    "1 1 udp 1 169.254.169.254 80 typ host",
    "1 1 udp 1 [::1] 5000 typ host",
    "1 1 udp 1 ::ffff:127.0.0.1 5000 typ host",
    "1 1 udp 1 fe80::1%lo 5000 typ host",
    "1 1 udp 1 0x7f000001 5000 typ host",
    "1 1 udp 1 127.1 5000 typ host",
    "1 1 udp 1 \u2460.\u2461.3.4 5000 typ host",
    "1 1 udp 1 a..b 5000 typ host",
    "1 2 udp 1 203.0.113.9 5000 typ host",
    "1 1 sctp 1 203.0.113.9 5000 typ host",
    "1 1 udp 1 203.0.113.9 5000 typ",
    "1 1 udp 1 203.0.113.9 5000 typ relay raddr",
    "1 1 udp 4294967296 203.0.113.9 5000 typ host",
    "1  udp   203.0.113.9",
    "",
    "x" * 4000,
)
UNICODE = (
    "\u0000",
    "\u202e",
    "\ufeff",
    "\u2028",
    "\u0085",
    "\u00e9",
    "\U0001f4a3",
    "e" + "\u0301" * 200,
    "\uff10",
)


def _text(lines: list[str]) -> str:
    return "\r\n".join(lines)


def flip_bytes(lines: list[str], chance: random.Random) -> bytes:
    raw = bytearray(_text(lines).encode())
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(raw)


def random_bytes(lines: list[str], chance: random.Random) -> bytes:
    raw = bytearray(_text(lines).encode())
    at = chance.randrange(len(raw))
    raw[at : at + chance.choice((0, 4, 40))] = chance.randbytes(chance.choice((1, 4, 400)))
    return bytes(raw)


def drop_lines(lines: list[str], chance: random.Random) -> str:
    for _ in range(chance.choice((1, 1, 2, 5))):
        lines.pop(chance.randrange(len(lines)))
    return _text(lines)


def duplicate_lines(lines: list[str], chance: random.Random) -> str:
    for _ in range(chance.choice((1, 1, 3, 40))):
        lines.insert(chance.randrange(1, len(lines)), chance.choice(lines))
    return _text(lines)


def shuffle_lines(lines: list[str], chance: random.Random) -> str:
    start = chance.randrange(len(lines))
    part = lines[start : start + chance.choice((2, 5, len(lines)))]
    chance.shuffle(part)
    lines[start : start + len(part)] = part
    return _text(lines)


def swap_sections(lines: list[str], chance: random.Random) -> str:
    audio = next(at for at, line in enumerate(lines) if line.startswith("m=audio"))
    data = next(at for at, line in enumerate(lines) if line.startswith("m=application"))
    head, one, other = lines[:audio], lines[audio:data], [line for line in lines[data:] if line]
    sections = [one, other, one, other, [*one[:1], *other[1:]], [*other[:1], *one[1:]]]
    chosen = chance.sample(sections, chance.randint(1, 4))
    return _text([*head, *(line for section in chosen for line in section), ""])


def huge_numbers(lines: list[str], chance: random.Random) -> str:
    at = chance.choice([at for at, line in enumerate(lines) if any(c.isdigit() for c in line)])
    words = lines[at].replace(":", ": ").split(" ")
    place = chance.choice([n for n, word in enumerate(words) if any(c.isdigit() for c in word)])
    words[place] = words[place][:2] * words[place].startswith(("a=", "o=")) + chance.choice(NUMBERS)
    lines[at] = " ".join(words).replace(": ", ":")
    return _text(lines)


def bad_candidates(lines: list[str], chance: random.Random) -> str:
    for _ in range(chance.choice((1, 2, 20, 33))):
        at = chance.randrange(1, len(lines))
        lines.insert(at, "a=candidate:" + chance.choice(CANDIDATES))
    return _text(lines)


def unicode_games(lines: list[str], chance: random.Random) -> str:
    at = chance.randrange(len(lines))
    line, cut = lines[at], chance.randrange(len(lines[at]) + 1)
    lines[at] = line[:cut] + chance.choice(UNICODE) + line[cut:]
    return _text(lines)


def line_end_games(lines: list[str], chance: random.Random) -> str:
    ends = chance.choice(
        (("\n",), ("\r",), ("\r\r\n",), ("\n\r",), ("\r\n", "\n"), ("\r\n", "\r\n\r\n"), ("\v", "\f"))
    )
    return "".join(line + chance.choice(ends) for line in lines)


def truncate(lines: list[str], chance: random.Random) -> str:
    text = _text(lines)
    return text[: chance.randrange(len(text))]


def truncate_a_line(lines: list[str], chance: random.Random) -> str:
    at = chance.randrange(len(lines))
    lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
    return _text(lines)


def long_lines(lines: list[str], chance: random.Random) -> str:
    at = chance.randrange(len(lines))
    lines[at] += chance.choice(("A", " 111", ":00", "=", "/", " ")) * chance.choice((30, 1000, 4000))
    return _text(lines)


def spaces(lines: list[str], chance: random.Random) -> str:
    at = chance.choice([at for at, line in enumerate(lines) if " " in line])
    lines[at] = lines[at].replace(" ", chance.choice(("", "  ", "\t", "\u00a0")))
    return _text(lines)


def other_words(lines: list[str], chance: random.Random) -> str:
    words = sorted({word for line in lines for word in line[2:].replace(":", " ").split()})
    return _text(lines).replace(chance.choice(words), chance.choice(words))


def letter_case(lines: list[str], chance: random.Random) -> str:
    at = chance.randrange(len(lines))
    lines[at] = lines[at].swapcase()
    return _text(lines)


MUTATIONS: tuple[Mutation, ...] = (
    flip_bytes,
    random_bytes,
    drop_lines,
    duplicate_lines,
    shuffle_lines,
    swap_sections,
    huge_numbers,
    bad_candidates,
    unicode_games,
    line_end_games,
    truncate,
    truncate_a_line,
    long_lines,
    spaces,
    other_words,
    letter_case,
)


def mutants(offers: list[str], number: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name of the mutation, mutant): every mutation in turn over every offer."""
    chance = random.Random(seed)
    for n in range(number):
        mutation = MUTATIONS[n % len(MUTATIONS)]
        offer = offers[n // len(MUTATIONS) % len(offers)]
        mutant = mutation(offer.split("\r\n"), chance)
        yield mutation.__name__, mutant.encode() if isinstance(mutant, str) else mutant


def bombs(offer: str) -> dict[str, tuple[bytes, str]]:
    """Return offers that cost a naive reader dearly, with the error code that each shall get."""
    candidate = "a=candidate:1 1 udp 1 203.0.113.9 5000 typ host\r\n"
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:{}\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"
    texts = {
        "10,000 candidates": (offer + candidate * 10_000, "body_too_large"),
        "4,000 candidates": (offer + candidate * 4_000, "sdp_too_large"),
        "33 candidates": (offer + candidate * 33, "too_many_candidates"),
        "3,000 sections": (offer + "".join(map(video.format, range(2, 3000))), "sdp_too_large"),
        "5 sections": (offer + "".join(map(video.format, "234")), "too_many_sections"),
        "65 rtpmaps": (offer + "".join(f"a=rtpmap:{n} x/8000\r\n" for n in range(65)), "too_many_codecs"),
        "65 fmtps": (offer + "a=fmtp:111 x=y\r\n" * 65, "too_many_codecs"),
        "65 formats": (offer.replace("SAVPF 111", "SAVPF 111" + " 9" * 65), "too_many_codecs"),
        "a line over 4 KiB": (offer + "a=x:" + "y" * 4096 + "\r\n", "line_too_long"),
        "two audio sections": (
            offer.replace(
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=audio 9 UDP/TLS/RTP/SAVPF 111"
            ),
            "too_many_audio",
        ),
        "no sha-256 fingerprint": (
            offer.replace("a=fingerprint:sha-256", "a=fingerprint:sha-1"),
            "no_fingerprint",
        ),
        "250,000 empty lines": ("\n" * 250_000 + offer, "sdp_too_large"),
        "32 KiB of empty attributes": ("v=0\n" + "a=\n" * 10_000, "sdp_too_large"),
        "a name of 4,000 letters": ("v=0\r\nm=" + "a" * 4000 + "\r\n", "bad_line"),
        "a number of 4,000 digits": (
            offer.replace("sctp-port:5000", "sctp-port:" + "9" * 4000),
            "bad_number",
        ),
        "12,000 characters of three bytes": (offer + ("a=" + "\u20ac" * 2000 + "\r\n") * 6, "sdp_too_large"),
    }
    return {name: (text.encode(), code) for name, (text, code) in texts.items()}
