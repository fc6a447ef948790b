"""A caller's SDP offer, parsed and bounded before anything else sees it. Pure functions.

aiortc's parser takes what it gets: 10,000 candidates freeze its loop for 25 s, and a malformed offer raises one of
seven exceptions and may leave sockets behind. Here an offer is read once, in time linear in its 32 KiB at most, into
an `Offer`; whatever is doubtful is a BadOffer that names the line. What aiortc then parses is `Offer.as_sdp()`,
written anew from the fields below: no text of the caller's gets through unread.

References: RFC 8866 (SDP), RFC 9429 (JSEP), RFC 8839 (ICE), RFC 8842 (DTLS), RFC 9143 (BUNDLE), RFC 8841 (SCTP).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rtbridge.rtc.candidates import (
    CandidatePolicy,
    RemoteCandidate,
    clip,
    keep,
    number,
    parse_candidate,
    refused,
)
from rtbridge.rtc.formats import Codec, codec_of
from rtbridge.rtc.sdp import SdpLines, SectionLines
from rtbridge.rtc.telephone_event import rate_of

AUDIO_PROFILES: Final = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"})


@dataclass(frozen=True, slots=True)
class Section:
    """One m-line as the answer must mirror it."""

    kind: str
    profile: str
    formats: tuple[str, ...]
    mid: str | None
    accepted: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """What an offer says, as far as a voice call needs it. Everything in it has been checked."""

    sections: tuple[Section, ...]  # all m-lines, in order
    audio_mid: str
    application_mid: str | None
    transport_mid: str  # whose ICE and DTLS all accepted sections share (RFC 9143 §7.2)
    direction: str  # of the audio, as the caller sees it
    payload_type: int
    codec: Codec
    key_type: tuple[int, int] | None  # payload type and clock rate of telephone-events, RFC 4733
    sctp_port: int
    max_message_size: int
    ufrag: str
    pwd: str
    fingerprint: str  # sha-256
    setup: str  # actpass | active | passive
    ice_lite: bool
    candidates: tuple[RemoteCandidate, ...]

    def as_sdp(self) -> str:
        """Return the offer for aiortc: the accepted sections, with the one codec, and never `end-of-candidates`.

        aioice gives up at once when the signalled candidates have ended and none is left, but a caller whose
        candidates we may not use still reaches us by itself.
        """
        # Audio first whatever the order: aiortc stops the transport of a section that follows in the group.
        mids = " ".join(filter(None, (self.audio_mid, self.application_mid)))
        lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
        if self.ice_lite:
            lines.append("a=ice-lite")
        for section in self.sections:
            if not section.accepted:
                continue
            if section.kind == "audio":
                payload_type = self.payload_type
                lines += [
                    f"m=audio 9 UDP/TLS/RTP/SAVPF {payload_type}",
                    f"a={self.direction}",
                    "a=rtcp-mux",
                    f"a=rtpmap:{payload_type} {self.codec.rtpmap}",
                ]
            else:
                lines += [
                    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
                    f"a=sctp-port:{self.sctp_port}",
                    f"a=max-message-size:{self.max_message_size}",
                ]
            lines += [
                f"a=mid:{section.mid}",
                f"a=ice-ufrag:{self.ufrag}",
                f"a=ice-pwd:{self.pwd}",
                f"a=fingerprint:sha-256 {self.fingerprint}",
                f"a=setup:{self.setup}",
            ]
            # In every section: of those that share a transport, aiortc reads the last one's.
            lines += [f"a=candidate:{candidate.as_line()}" for candidate in self.candidates]
        return "\r\n".join(lines) + "\r\n"


def parse_offer(sdp: str, policy: CandidatePolicy | None = None) -> Offer:
    """Parse one offer. Raises BadOffer, whose message names the line, what is wrong and what is wanted."""
    return _Judge(SdpLines(sdp), policy or CandidatePolicy()).offer()


def _key_type(audio: SectionLines, codec: Codec) -> tuple[int, int] | None:
    """Return the payload type and clock rate for telephone-events, of the codec's clock if there is one."""
    found = [
        (payload_type, rate)
        for payload_type, rtpmap in audio.codecs.items()
        if str(payload_type) in audio.formats and (rate := rate_of(rtpmap)) is not None
    ]
    # RFC 4733 §2.1 wants the clock of the audio; who offers only another (Firefox: 8000 beside Opus) keeps to that.
    return next((one for one in found if one[1] == codec.clock_rate), found[0] if found else None)


class _Judge:
    """Judges the lines of an offer together."""

    def __init__(self, lines: SdpLines, policy: CandidatePolicy) -> None:
        self._lines = lines
        self._policy = policy

    def offer(self) -> Offer:
        """Judge the sections together."""
        audio = self._one("audio")
        if audio is None:
            raise refused(
                "no_audio", 0, "has no m=audio section; a call is one audio section and a data channel"
            )
        application = self._one("application")
        payload_type, codec = self._judge_audio(audio)
        if application is not None:
            self._judge_application(application)
        accepted = [section for section in self._lines.sections if section is audio or section is application]
        shared = self._transport_section(audio, application, accepted)
        ufrag, pwd, fingerprint, setup = self._judge_transport(shared)
        candidates = (parse_candidate(value, at, self._policy) for value, at in shared.candidates)
        assert audio.mid is not None
        assert shared.mid is not None
        return Offer(
            sections=tuple(
                Section(section.kind, section.profile, section.formats, section.mid, section in accepted)
                for section in self._lines.sections
            ),
            audio_mid=audio.mid,
            application_mid=application.mid if application is not None else None,
            transport_mid=shared.mid,
            direction=audio.direction or "sendrecv",  # RFC 8866 §6.7: the default
            payload_type=payload_type,
            codec=codec,
            key_type=_key_type(audio, codec),
            sctp_port=(application.sctp_port if application is not None else None) or 5000,
            max_message_size=application.max_message_size if application is not None else 65_536,
            ufrag=ufrag,
            pwd=pwd,
            fingerprint=fingerprint,
            setup=setup,
            ice_lite=self._lines.ice_lite,
            candidates=keep([candidate for candidate in candidates if candidate is not None]),
        )

    def _one(self, kind: str) -> SectionLines | None:
        found = [section for section in self._lines.sections if section.kind == kind]
        if len(found) > 1:
            raise refused(
                f"too_many_{kind}", found[1].line, f"opens a second m={kind} section; one is the most"
            )
        return found[0] if found else None

    def _judge_audio(self, audio: SectionLines) -> tuple[int, Codec]:
        """Return the first format that we speak: the order is the caller's preference (RFC 3264 §5.1)."""
        if audio.profile not in AUDIO_PROFILES:
            raise refused(
                "bad_profile", audio.line, f"has profile {clip(audio.profile)}, not UDP/TLS/RTP/SAVPF"
            )
        if audio.direction == "inactive":
            raise refused("bad_direction", audio.line, "opens an inactive audio section; offer a=sendrecv")
        if not audio.rtcp_mux:
            raise refused("no_rtcp_mux", audio.line, "opens an audio section without a=rtcp-mux")
        for text in audio.formats:
            payload_type = number(text, 0, 127, "the payload type", audio.line)
            if (codec := codec_of(payload_type, audio.codecs.get(payload_type))) is not None:
                return payload_type, codec
        names = ", ".join(dict.fromkeys(audio.codecs.values())) or "no codec by name"
        raise refused(
            "no_codec",
            audio.line,
            f"offers {clip(names, 200)}; opus/48000/2 is wanted, payload type 96 to 127, or PCMU, PCMA or G722",
        )

    def _judge_application(self, application: SectionLines) -> None:
        if application.profile != "UDP/DTLS/SCTP" or application.formats != ("webrtc-datachannel",):
            raise refused(
                "bad_profile", application.line, "wants UDP/DTLS/SCTP webrtc-datachannel (RFC 8841)"
            )
        if application.sctp_port is None:
            raise refused(
                "bad_application", application.line, "opens a data channel section without a=sctp-port"
            )

    def _transport_section(
        self, audio: SectionLines, application: SectionLines | None, accepted: list[SectionLines]
    ) -> SectionLines:
        """Return the section whose transport all accepted ones share: the first in the BUNDLE group."""
        for section in accepted:
            if section.mid is None:
                raise refused("bad_mid", section.line, f"opens a section m={section.kind} without a=mid")
            if section.port == 0 and not section.bundle_only:
                raise refused(
                    "bad_port", section.line, f"offers m={section.kind} on port 0, which means: not at all"
                )
        if application is None and not self._lines.bundles:
            return audio
        by_mid = {section.mid: section for section in accepted}
        for bundle in self._lines.bundles:
            tagged = [by_mid[mid] for mid in bundle if mid in by_mid]
            if len(tagged) == len(accepted):
                return tagged[0]
        raise refused("no_bundle", 0, "has no a=group:BUNDLE with the audio and the data channel section")

    def _judge_transport(self, section: SectionLines) -> tuple[str, str, str, str]:
        """Return ufrag, password, fingerprint and setup of a section; the session's where it has none."""
        own, session = section.transport, self._lines.session
        ufrag, pwd = own.ufrag or session.ufrag, own.pwd or session.pwd
        if ufrag is None or pwd is None:
            raise refused("no_ice", section.line, f"m={section.kind} has no a=ice-ufrag and a=ice-pwd")
        fingerprints = own.fingerprints or session.fingerprints
        if not fingerprints:
            others = ", ".join(sorted(own.other_fingerprints | session.other_fingerprints)) or "none"
            raise refused(
                "no_fingerprint",
                section.line,
                f"m={section.kind} has no sha-256 fingerprint (has: {clip(others)})",
            )
        if len(fingerprints) > 1:
            raise refused(
                "bad_fingerprint", section.line, f"m={section.kind} has two different sha-256 fingerprints"
            )
        setup = own.setup or session.setup
        if setup is None:
            raise refused("bad_setup", section.line, f"m={section.kind} has no a=setup (RFC 8842)")
        return ufrag, pwd, next(iter(fingerprints)), setup
