"""Candidates of the caller that come after the offer, as aiortc wants them. Which are taken is candidates.py's."""

from __future__ import annotations

from collections.abc import Sequence

from aiortc import RTCIceCandidate, RTCIceTransport

from rtbridge.rtc.candidates import RemoteCandidate


async def add_candidates(ice: RTCIceTransport, candidates: Sequence[RemoteCandidate]) -> None:
    """Give an ICE transport more addresses of the other side."""
    for candidate in candidates:
        await ice.addRemoteCandidate(
            RTCIceCandidate(
                component=1,
                foundation=candidate.foundation,
                ip=candidate.address,
                port=candidate.port,
                priority=candidate.priority,
                protocol="udp",
                type=candidate.type,
            )
        )
