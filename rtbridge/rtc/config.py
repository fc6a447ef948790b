"""What the settings say about media, in the form that a Peer takes."""

from __future__ import annotations

from dataclasses import dataclass

from rtbridge.settings import Settings


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """One peer's share of the settings."""

    media_addresses: tuple[str, ...] = ()  # local addresses to bind; all but loopback when empty
    ports: range | None = None  # UDP ports; any when None
    advertised_address: str = ""  # put into answers instead of the bound ones (NAT 1:1)
    private_candidates: bool = False  # check private addresses that an offer names
    connect_timeout_s: float = 15.0
    suspend_after_s: float = 3.0

    @classmethod
    def of(cls, settings: Settings) -> PeerConfig:
        """Return what `settings` say; where HTTP is bound to loopback, media is too unless they say otherwise."""
        ports = settings.media_port_range
        return cls(
            media_addresses=settings.media_addresses or (("127.0.0.1",) if settings.on_loopback else ()),
            ports=None if ports is None else range(ports[0], ports[1] + 1),
            advertised_address=settings.advertised_address,
            connect_timeout_s=settings.connect_timeout_s,
            suspend_after_s=settings.suspend_after_s,
        )
