"""aiortc's answer, finished for the caller: Opus parameters, rejected sections, advertised addresses. Pure.

aiortc answers Opus without an fmtp line, and then no browser sends in-band FEC; it does not know telephone-events;
it cannot reject a section, so the ones it never saw are put back here; and it names the addresses it is bound to,
which behind a 1:1 NAT are not the ones to call.
"""

from __future__ import annotations

from typing import Final

from rtbridge.rtc import telephone_event
from rtbridge.rtc.formats import OPUS
from rtbridge.rtc.offer import Offer, Section

MAX_MESSAGE_BYTES: Final = 64 * 1024  # of the data channel, both ways
OPUS_PARAMETERS: Final = "minptime=10;useinbandfec=1"  # RFC 7587 §6.1; mono is what a missing stereo=1 says


def finish_answer(sdp: str, offer: Offer, *, cname: str, advertised_address: str = "") -> str:
    """Return the answer to send, from aiortc's answer to `offer.as_sdp()`.

    `cname` is that of our RTCP (RFC 3550 §6.5.1). With `advertised_address`, candidates of the same IP version
    carry it instead of the bound address, and candidates of the other version are left out.
    """
    session, *accepted = _sections(sdp.split("\r\n"))
    lines = [_advertise_default(line, advertised_address) for line in session]
    remaining = iter(accepted)
    for section in offer.sections:
        if section.accepted:
            lines += _finish(next(remaining), offer, cname, advertised_address)
        else:
            lines += _reject(section)
    return "\r\n".join(lines) + "\r\n"


def _sections(lines: list[str]) -> list[list[str]]:
    sections: list[list[str]] = [[]]
    for line in filter(None, lines):
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    return sections


def _finish(lines: list[str], offer: Offer, cname: str, advertised: str) -> list[str]:
    finished: list[str] = []
    for line in lines:
        if line.startswith("a=candidate:"):
            changed = _advertise(line, advertised)
            if changed is not None:
                finished.append(changed)
        elif line.startswith("a=max-message-size:"):
            finished.append(f"a=max-message-size:{MAX_MESSAGE_BYTES}")
        elif line.startswith("a=ssrc:"):
            finished.append(f"{line.split(' ')[0]} cname:{cname}")
        else:
            finished.append(_advertise_default(line, advertised))
            if line.startswith(f"a=rtpmap:{offer.payload_type} "):
                if offer.codec is OPUS:
                    finished.append(f"a=fmtp:{offer.payload_type} {OPUS_PARAMETERS}")
                finished += _keys(offer)
    if offer.key_type is not None and lines[0].startswith("m=audio "):
        finished[0] += f" {offer.key_type[0]}"
    return finished


def _keys(offer: Offer) -> list[str]:
    """Return the lines that accept telephone-events (RFC 4733 §2.4.1)."""
    if offer.key_type is None:
        return []
    payload_type, rate = offer.key_type
    mapped = f"a=rtpmap:{payload_type} {telephone_event.NAME}/{rate}"
    return [mapped, f"a=fmtp:{payload_type} {telephone_event.EVENTS}"]


def _advertise(line: str, advertised: str) -> str | None:
    if not advertised:
        return line
    fields = line.split(" ")
    if (":" in fields[4]) != (":" in advertised):
        return None
    fields[4] = advertised
    return " ".join(fields)


def _advertise_default(line: str, advertised: str) -> str:
    if not advertised or not line.startswith("c=IN "):
        return line
    return f"c=IN IP{6 if ':' in advertised else 4} {advertised}"


def _reject(section: Section) -> list[str]:
    # RFC 9429 §5.3.1: port zero, the offer's formats, and no transport attributes.
    lines = [
        f"m={section.kind} 0 {section.profile} {' '.join(section.formats)}",
        "c=IN IP4 0.0.0.0",
        "a=inactive",
    ]
    if section.mid is not None:
        lines.append(f"a=mid:{section.mid}")
    return lines
