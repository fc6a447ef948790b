"""One caller's WebRTC leg: an offer in, an answer out, and from then on a `core.leg.CallerLeg`.

aiortc does SDP, ICE, DTLS and SCTP, behind a parsed offer and a source gate; audio is ours (media, ears, speaker).
Callbacks of aiortc and of the loop only note what happened, in the one inbox that `events()` reads. No task is
owned but the one that closes; timers are.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator
from typing import Final

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDtlsTransport,
    RTCIceTransport,
    RTCPeerConnection,
    RTCSessionDescription,
)

from rtbridge.core.leg import (
    Hear,
    LegEvent,
    LegGone,
    LegKey,
    LegMessage,
    LegResumed,
    LegSuspended,
    LegUp,
    Pull,
)
from rtbridge.errors import BadOffer, Closed
from rtbridge.rtc import private, sockets
from rtbridge.rtc.answer import finish_answer
from rtbridge.rtc.candidates import MAX_KEPT, CandidatePolicy, parse_fragment
from rtbridge.rtc.channel import EventChannel
from rtbridge.rtc.config import PeerConfig
from rtbridge.rtc.ears import Ears
from rtbridge.rtc.guard import Gate, GatedProtocol
from rtbridge.rtc.media import MediaRoad
from rtbridge.rtc.offer import Offer, parse_offer
from rtbridge.rtc.speaker import Speaker
from rtbridge.rtc.stats import leg_counts
from rtbridge.rtc.timers import NamedTimers
from rtbridge.rtc.trickle import add_candidates

INBOX: Final = 512  # leg events; a client may send 200 messages at once
RESERVED: Final = 8  # places in the inbox that messages and keys do not take
WATCH_S: Final = 0.25  # how often life is looked for
REPORT_S: Final = 1.0
FLUSH_S: Final = 0.5  # how long close() waits for the last events to arrive

logger = logging.getLogger(__name__)


__all__ = ["Peer", "PeerConfig"]


class Peer:
    """A `CallerLeg` over WebRTC. Used once: answer, attach, events, close."""

    def __init__(self, config: PeerConfig) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._addresses = sockets.host_addresses(config.media_addresses)
        self._policy = CandidatePolicy(
            loopback=any(map(sockets.is_loopback, self._addresses)),
            elsewhere=not all(map(sockets.is_loopback, self._addresses)),
            private=config.private_candidates,
        )
        self._inbox: asyncio.Queue[LegEvent] = asyncio.Queue(INBOX)
        self._channel = EventChannel(
            clock=self._loop.time,
            opened=self._maybe_up,
            message=lambda text: self._said(LegMessage(text)),
            broken=self._end,
            closed=self._channel_closed,
        )
        self._offer: Offer | None = None
        self._pc: RTCPeerConnection | None = None
        self._ice: RTCIceTransport | None = None
        self._gate: Gate | None = None
        self._ears: Ears | None = None
        self._speaker: Speaker | None = None
        self._media: MediaRoad | None = None
        self._hear: Hear | None = None
        self._pull: Pull | None = None
        self._candidates_room = MAX_KEPT
        self._timers = NamedTimers(self._loop)
        self._closing: asyncio.Task[None] | None = None
        self._media_up = self._up = self._suspended = self._ended = False
        self._alive_s = 0.0
        self._lost_messages = 0

    # -- set-up -------------------------------------------------------------------------------------------
    async def answer(self, offer: str) -> str:
        """Return the SDP answer, with all our candidates; media starts by itself when the caller connects.

        Raises BadOffer for an offer that is none, Unavailable when no socket can be bound. The leg is closed then.
        """
        if self._pc is not None or self._closing is not None:
            raise Closed("a Peer answers one offer")
        try:
            self._offer = parse_offer(offer, self._policy)
            self._candidates_room -= len(self._offer.candidates)
            return await self._answer(self._offer)
        except BaseException:
            await self.close()
            raise

    async def _answer(self, offer: Offer) -> str:
        pc = self._pc = RTCPeerConnection(
            # No STUN: a server knows its addresses (sockets.py).
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        pc.on("connectionstatechange", self._state_changed)
        pc.on("datachannel", self._channel.offered)
        pc.addTransceiver("audio", direction="sendrecv")
        transceiver, dtls, ice = private.peer_parts(pc)
        private.take_over_media(transceiver, functools.partial(self._media_started, dtls))
        await pc.setRemoteDescription(RTCSessionDescription(offer.as_sdp(), "offer"))
        if pc.sctp is not None:
            private.intercept_sctp(pc.sctp, admit=self._channel.admit_chunk, failed=self._sctp_failed)
        self._ice = ice
        connection = private.connection_of(ice)
        gate = self._gate = Gate(
            ufrag=connection.local_username, checked=functools.partial(private.has_succeeded, connection)
        )
        ssrc, codec = private.sending_ssrc(transceiver), offer.codec
        key_type = None if offer.key_type is None else offer.key_type[0]
        ears = self._ears = Ears(
            timers=self._loop,
            payload_type=offer.payload_type,
            failed=self._failed,
            codec=codec,
            key_type=key_type,
            pressed=lambda key: self._said(LegKey(key)),
        )
        media = self._media = MediaRoad(
            ears=ears,
            ssrc=ssrc,
            payload_type=offer.payload_type,
            clock_rate=codec.clock_rate,
            key_type=key_type,
            clock=self._loop.time,
            transmit=functools.partial(private.transmit, connection),
            alive=self._alive,
        )
        failed = self._failed
        self._speaker = Speaker(timers=self._loop, send=media.send, failed=failed, phase=ssrc, codec=codec)

        def protocol() -> GatedProtocol:
            return GatedProtocol(
                connection, gate, clock=self._loop.time, media=media.received, alive=self._alive
            )

        private.replace_gathering(
            connection,
            functools.partial(
                sockets.gather, connection, protocol, bind=self._addresses, ports=self._config.ports
            ),
        )
        await pc.setLocalDescription()
        self._timers.after("connect", self._config.connect_timeout_s, self._connect_timed_out)
        return finish_answer(
            pc.localDescription.sdp,
            offer,
            cname=media.cname,
            advertised_address=self._config.advertised_address,
        )

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled candidates (`application/trickle-ice-sdpfrag`, RFC 8840).

        Raises BadOffer for what does not parse and for an ICE restart, which a new offer does instead; Closed
        before answer() and after close().
        """
        if self._offer is None or self._ice is None or self._closing is not None:
            raise Closed("this leg takes no candidates")
        parsed = parse_fragment(fragment, self._policy, mid=self._offer.transport_mid)
        if parsed.ufrag not in (None, self._offer.ufrag):
            raise BadOffer(
                "SDP a=ice-ufrag is not the offer's: there is no ICE restart, make a new call and offer",
                code="ice_restart",
                param="sdp",
            )
        taken = parsed.candidates[: self._candidates_room]
        self._candidates_room -= len(taken)
        await add_candidates(self._ice, taken)

    # -- CallerLeg ----------------------------------------------------------------------------------------
    def attach(self, *, pull: Pull, hear: Hear) -> None:
        """Connect the audio road; it carries audio from LegUp to LegGone (see CallerLeg)."""
        self._pull, self._hear = pull, hear
        if self._up and not self._ended:
            self._connect_audio()

    async def events(self) -> AsyncIterator[LegEvent]:
        """Yield what happens to the leg; ends after LegGone."""
        while True:
            event = await self._inbox.get()
            yield event
            if isinstance(event, LegGone):
                return

    def send(self, text: str) -> None:
        """Queue one JSON event for `oai-events`; what cannot be sent is counted."""
        self._channel.send(text)

    @property
    def rtt_ms(self) -> float:
        """The round trip by the caller's RTCP reports; 0 until the first one."""
        return 0.0 if self._media is None else self._media.round_trip.ms

    @property
    def wire_ms(self) -> float:
        """How long the frame that was pulled last took to leave, with what its encoder holds back."""
        return 0.0 if self._speaker is None else self._speaker.wire_ms

    def stats(self) -> dict[str, float]:
        """Return counters of the leg; names are `part.what`, units in the name where not packets or frames."""
        counts = leg_counts(self._channel, self._gate, self._media, self._ears, self._speaker)
        counts["channel.inbox_full"] = self._lost_messages
        return counts

    async def close(self) -> None:
        """End the leg; idempotent. When it returns, no task, timer, socket or thread of it is left."""
        if self._closing is None:
            self._closing = self._loop.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        sctp = None if self._pc is None else self._pc.sctp
        await self._channel.drained(FLUSH_S, lambda: 0 if sctp is None else private.unacknowledged(sctp))
        self._end("closed")
        if self._gate is not None:
            self._gate.closed = True
        if self._media is not None:
            self._media.bye()
        if self._pc is not None:
            await self._pc.close()
            self._pc.remove_all_listeners()
        if self._ice is not None:
            await private.settled(self._ice)

    # -- what happens -------------------------------------------------------------------------------------
    def _media_started(self, dtls: RTCDtlsTransport) -> None:
        if self._media_up or self._ended:
            return
        assert self._gate is not None
        assert self._media is not None
        assert self._speaker is not None
        self._media_up = self._gate.media_up = True
        self._media.open(*private.srtp_sessions(dtls))
        self._alive_s = self._loop.time()
        self._speaker.start()
        self._timers.after("report", REPORT_S, self._report)
        self._maybe_up()

    def _maybe_up(self) -> None:
        if self._media_up and self._channel.is_open and not self._up and not self._ended:
            self._up = True
            self._timers.cancel("connect")
            self._connect_audio()
            self._post(LegUp())
            self._timers.after("watch", WATCH_S, self._watch)

    def _connect_audio(self) -> None:
        assert self._speaker is not None
        assert self._ears is not None
        self._speaker.pull, self._ears.hear = self._pull, self._hear

    def _said(self, event: LegMessage | LegKey) -> None:
        if self._ended:
            return
        if self._inbox.qsize() >= INBOX - RESERVED:
            self._lost_messages += 1
        else:
            self._post(event)

    def _alive(self) -> None:
        now_s = self._loop.time()
        gap_s, self._alive_s = now_s - self._alive_s, now_s
        if self._suspended and not self._ended:
            self._suspended = False
            if self._speaker is not None:
                self._speaker.muted = False
            self._post(LegResumed(gap_ms=int(gap_s * 1000)))

    def _watch(self) -> None:
        silent_s = self._loop.time() - self._alive_s
        if not self._suspended and silent_s >= self._config.suspend_after_s:
            self._suspended = True
            assert self._speaker is not None
            self._speaker.muted = True
            self._post(LegSuspended(f"nothing came from the caller for {silent_s:.1f} s"))
        self._timers.after("watch", WATCH_S, self._watch)

    def _report(self) -> None:
        assert self._media is not None
        self._media.report()
        self._timers.after("report", REPORT_S, self._report)

    def _connect_timed_out(self) -> None:
        missing = "oai-events was not opened" if self._media_up else "no media connection"
        self._end(f"connect timeout: {missing} within {self._config.connect_timeout_s:g} s")

    def _state_changed(self) -> None:
        # Once there is a data channel, its closing comes first and tells more (_channel_closed).
        state = None if self._pc is None else self._pc.connectionState
        if state == "failed":
            self._end("ICE or DTLS failed")
        elif state == "closed":
            self._end("the caller hung up")

    def _channel_closed(self) -> None:
        # aiortc closes the channel first, whether SCTP, DTLS or ICE ended.
        assert self._ice is not None
        lost = private.is_closing(private.connection_of(self._ice))
        self._end("consent lost: the caller answers no more" if lost else "the caller hung up")

    def _sctp_failed(self, error: BaseException) -> None:
        self._end(f"malformed data channel packet ({type(error).__name__})")

    def _failed(self, error: Exception) -> None:
        logger.error("leg.failed", exc_info=error)
        self._end(f"internal error ({type(error).__name__})")

    def _end(self, reason: str) -> None:
        """Note LegGone, once, and let nothing more happen on its own."""
        if self._ended:
            return
        self._ended = True
        self._timers.cancel_all()
        if self._speaker is not None:
            self._speaker.stop()
        if self._gate is not None:
            self._gate.media_up = False  # a packet that still came would set timers anew
        if self._ears is not None:
            self._ears.stop()
        self._post(LegGone(reason))

    def _post(self, event: LegEvent) -> None:
        self._inbox.put_nowait(event)
