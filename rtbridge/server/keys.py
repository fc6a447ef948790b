"""Who may do what: caller keys, client secrets (`ek_…`), and the grant that a request's bearer token gives.

Nothing is kept that could be used again: keys and secrets are held as SHA-256 digests and compared in constant
time. A client secret opens one call, from the origin and for the scenario it was minted for, within its time to
live; after that it can only end the call it opened. Durations are read on the monotonic clock, so that a jump of
the wall clock neither ends nor extends a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets as entropy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretStr

from rtbridge.errors import Forbidden, TooManyRequests, Unauthorized

LEAST_TTL_S: Final = 10
MOST_TTL_S: Final = 7200
DEFAULT_TTL_S: Final = 600
MOST_SECRETS: Final = 4096

_TOKEN_BYTES = 24  # 192 bits


@dataclass(eq=False, slots=True)
class ClientSecret:
    """What is known of a minted secret: everything but itself."""

    principal: str
    origin: str | None
    scenario: str | None
    agent: str | None
    session: dict[str, Any]
    expires_s: float  # on the monotonic clock
    spent: bool = False
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """Who a request speaks for. Without keys configured everyone on this machine is the principal ""."""

    principal: str
    secret: ClientSecret | None = None
    by_key: bool = False

    def owns(self, other: Grant) -> bool:
        """Tell whether what `other` opened may be ended or changed by this grant: its secret, or its minter."""
        return self.principal == other.principal and (self.secret is None or self.secret is other.secret)


@dataclass(frozen=True, slots=True)
class Minted:
    """A new client secret, shown once."""

    value: str
    expires_at: int  # seconds since the epoch, as the OpenAI API gives it
    session: dict[str, Any] = field(default_factory=dict)


class Keyring:
    """Caller keys and client secrets of one process."""

    def __init__(
        self, api_keys: Iterable[SecretStr], *, now_s: Callable[[], float], wall_s: Callable[[], float]
    ) -> None:
        self._keys = [_digest(key.get_secret_value()) for key in api_keys]
        self._now_s = now_s
        self._wall_s = wall_s
        self._secrets: dict[bytes, ClientSecret] = {}
        self._sweep_s = now_s()

    @property
    def keyless(self) -> bool:
        """True when no caller keys are configured: calls need none, and only loopback is served."""
        return not self._keys

    def identify(self, authorization: str | None) -> Grant | None:
        """Return whom an `Authorization` header speaks for; None when it proves nothing.

        Raises Unauthorized for an `ek_` token that is unknown or expired, even where no token is needed, and
        for a wrong caller key where keys are configured.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer" and token:
            if token.startswith("ek_"):
                return self._by_secret(token)
            if principal := self._by_key(token):
                return Grant(principal, by_key=True)
            if not self.keyless:
                raise Unauthorized("The API key is not one of this bridge's.", code="invalid_api_key")
        # A stock client always sends a key, if only a placeholder: on keyless loopback it means nothing.
        return Grant("") if self.keyless else None

    def require(self, grant: Grant | None) -> Grant:
        """Return the grant, or raise Unauthorized when there is none."""
        if grant is None:
            raise Unauthorized(
                "This bridge needs a key: send `Authorization: Bearer <caller key or ek_ secret>`.",
                code="missing_api_key",
            )
        return grant

    def mint(
        self,
        by: Grant,
        *,
        origin: str | None = None,
        scenario: str | None = None,
        agent: str | None = None,
        session: dict[str, Any] | None = None,
        ttl_s: int = DEFAULT_TTL_S,
        alive: Callable[[str], bool] = lambda _call_id: False,
    ) -> Minted:
        """Make a secret for one call. `alive` tells which calls run, so that theirs are kept.

        Raises Forbidden when `by` is itself a client secret, TooManyRequests at 4096 live ones.
        """
        if by.secret is not None:
            raise Forbidden(
                "A client secret cannot mint another; use a caller key.", code="secret_cannot_mint"
            )
        now_s = self._now_s()
        if now_s >= self._sweep_s or len(self._secrets) >= MOST_SECRETS:
            self._sweep_s = now_s + LEAST_TTL_S
            for digest, known in list(self._secrets.items()):
                if known.expires_s <= now_s and (known.call_id is None or not alive(known.call_id)):
                    del self._secrets[digest]
        if len(self._secrets) >= MOST_SECRETS:
            soonest_s = min(known.expires_s for known in self._secrets.values())
            raise TooManyRequests(
                f"{MOST_SECRETS} client secrets are out; mint with a shorter `expires_after`.",
                code="too_many_secrets",
                retry_after_s=max(1.0, soonest_s - now_s),
            )
        value = f"ek_{entropy.token_urlsafe(_TOKEN_BYTES)}"
        self._secrets[_digest(value)] = ClientSecret(
            by.principal, origin, scenario, agent, session or {}, expires_s=now_s + ttl_s
        )
        return Minted(value, int(self._wall_s()) + ttl_s, session or {})

    def awaits(self, origin: str) -> bool:
        """Tell whether a live secret was minted for this origin: its CORS preflight, which bears none, may pass."""
        now_s = self._now_s()
        return any(
            known.origin == origin and (known.expires_s > now_s or known.call_id is not None)
            for known in self._secrets.values()
        )

    def spend(self, grant: Grant) -> None:
        """Use up the grant's secret for a call about to be opened. Raises Unauthorized if it was used before."""
        secret = grant.secret
        if secret is None:
            return
        if secret.spent or secret.expires_s <= self._now_s():
            raise Unauthorized(
                "This client secret has opened its one call; mint another.", code="client_secret_used"
            )
        secret.spent = True

    def refund(self, grant: Grant) -> None:
        """Undo `spend` for a call that could not be opened."""
        if grant.secret is not None:
            grant.secret.spent = False

    def _by_key(self, token: str) -> str | None:
        digest = _digest(token)
        # Every key is compared, so that the time taken does not tell which one was near.
        found = [known for known in self._keys if hmac.compare_digest(known, digest)]
        return f"key_{found[0].hex()[:12]}" if found else None

    def _by_secret(self, token: str) -> Grant:
        digest = _digest(token)
        secret = self._secrets.get(digest)
        if secret is None or (secret.expires_s <= self._now_s() and secret.call_id is None):
            raise Unauthorized(
                "This client secret is unknown or has expired; mint another.", code="invalid_client_secret"
            )
        return Grant(secret.principal, secret)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
