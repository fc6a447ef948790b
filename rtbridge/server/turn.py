"""Short-lived TURN credentials for browsers: the shared secret of coturn's `use-auth-secret`, given as Link headers.

The scheme is draft-uberti-behave-turn-rest-00: the user name is the time of expiry, the password an HMAC-SHA1 of it
(the algorithm is coturn's, not a choice). RFC 9725 §4.6 says how a signalling answer names ICE servers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from rtbridge.settings import Settings

CREDENTIAL_TTL_S: Final = 300


def ice_server_link(settings: Settings, wall_s: Callable[[], float]) -> str | None:
    """Return the value of a `Link` header that names the TURN server, or None when there is none."""
    if not settings.turn_url:
        return None
    link = f'<{settings.turn_url}>; rel="ice-server"'
    if settings.turn_secret is None:
        return link
    username, credential = credentials(settings.turn_secret.get_secret_value(), wall_s())
    return f'{link}; username="{username}"; credential="{credential}"; credential-type="password"'


def credentials(secret: str, wall_s: float) -> tuple[str, str]:
    """Return user name and password, valid for 300 s from `wall_s` (seconds since the epoch)."""
    username = f"{int(wall_s) + CREDENTIAL_TTL_S}:rtbridge"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()
