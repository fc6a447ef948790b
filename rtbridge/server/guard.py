"""The door: which Host and which Origin may ask, and who gets CORS headers.

A page on the web can make its visitor's browser send requests to a bridge on the visitor's own machine, or (DNS
rebinding) give its own name the address 127.0.0.1. So on loopback the Host must be a name of loopback, and an
Origin must be our own, listed in `allowed_origins`, or carry a client secret that was minted for it. Browsers put
Origin on every cross-site request that could change anything (Fetch §3.2); programs send none.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from urllib.parse import urlsplit

from rtbridge.addresses import is_loopback
from rtbridge.errors import Forbidden
from rtbridge.server.keys import Grant, Keyring
from rtbridge.settings import Settings

_ALLOW_HEADERS = (
    "authorization, content-type, idempotency-key, if-match, openai-beta, openai-organization, openai-project, "
    "x-openai-agents-sdk"
)


class From(Enum):
    """Where a request's Origin stands."""

    PROGRAM = "no Origin: not from a page"
    SAME = "our own page"
    LISTED = "in allowed_origins"
    FOREIGN = "another site"


class Guard:
    """Decides on Host and Origin for one server."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._origins = frozenset(settings.allowed_origins)
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._loopback = settings.on_loopback
        self._keyring = keyring

    def check_host(self, host: str) -> None:
        """Refuse a Host header under which this server is not to be reached. Raises Forbidden.

        On loopback: names of loopback and `allowed_hosts`. Elsewhere: `allowed_hosts`, or any when it is empty,
        since every call there needs a key.
        """
        name = host_name(host)
        open_to_all = not self._loopback and not self._hosts
        known = open_to_all or name in self._hosts or (self._loopback and is_loopback(name))
        if not name or not known:
            raise Forbidden(
                "This Host is not served here; add it to RTBRIDGE_ALLOWED_HOSTS if it should be.",
                code="host_not_allowed",
            )

    def place(self, origin: str | None, host: str, scheme: str) -> From:
        """Tell where an Origin header stands, seen from a request to `host`."""
        if origin is None:
            return From.PROGRAM
        # Behind a proxy that ends TLS we see http where the browser sees https; only a keyed bridge is put there.
        schemes = {scheme} if self._keyring.keyless else {"http", "https"}
        parts = urlsplit(origin)
        if (
            origin == f"{parts.scheme}://{parts.netloc}"
            and parts.scheme in schemes
            and same_authority(parts.netloc, host)
        ):
            return From.SAME
        return From.LISTED if origin in self._origins else From.FOREIGN

    def check_origin(self, origin: str | None, where: From, grant: Grant | None) -> None:
        """Refuse a foreign Origin without a secret of its own, and a secret away from its origin. Raises Forbidden."""
        secret = grant.secret if grant else None
        if secret is not None and secret.origin is not None and secret.origin != origin:
            raise Forbidden(
                f"This client secret was minted for {secret.origin}; mint one for where it is used.",
                code="secret_of_another_origin",
            )
        if where is From.FOREIGN and (secret is None or secret.origin is None):
            raise Forbidden(
                "This Origin may not call here. Add it to RTBRIDGE_ALLOWED_ORIGINS, or mint a client secret with "
                'its "origin" set to it.',
                code="origin_not_allowed",
            )

    def check_preflight(self, origin: str, where: From) -> None:
        """Refuse a CORS preflight of an Origin that could not go on to call. Raises Forbidden."""
        if where is From.FOREIGN and not self._keyring.awaits(origin):
            raise Forbidden("This Origin may not call here.", code="origin_not_allowed")

    def check_mint(self, where: From) -> None:
        """Refuse minting to other sites where minting needs no key. Raises Forbidden."""
        if self._keyring.keyless and where not in (From.PROGRAM, From.SAME):
            raise Forbidden(
                "Without caller keys only this bridge's own page and local programs may mint client secrets.",
                code="origin_may_not_mint",
            )


def cors_headers(origin: str, *, preflight: bool = False) -> Mapping[str, str]:
    """Return the CORS headers for an Origin that may call (Fetch §3.2.3)."""
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "Location, ETag, Link, Retry-After",
        "Vary": "Origin",
    }
    if preflight:
        headers |= {
            "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
            "Access-Control-Allow-Headers": _ALLOW_HEADERS,
            "Access-Control-Max-Age": "600",
        }
    return headers


def host_name(host: str) -> str:
    """Return the name in a Host header, lower-cased and without port; empty when it is not one name."""
    return _authority(host)[0]


def same_authority(one: str, other: str) -> bool:
    """Compare two `host[:port]`, ignoring case."""
    return _authority(one) == _authority(other) != ("", "")


def _authority(host: str) -> tuple[str, str]:
    host = host.strip().lower()
    name, bracket, rest = host.partition("]")
    if bracket:
        name = name + bracket
    else:
        name, colon, port = host.partition(":")
        rest = colon + port
    port = rest.removeprefix(":")
    if not name or (rest and not (rest.startswith(":") and port.isascii() and port.isdigit())):
        return "", ""
    if any(char in name for char in "/@?#\\ ") or (bracket and not name.startswith("[")):
        return "", ""
    return name.rstrip("."), port
