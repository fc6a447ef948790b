"""Every error rtbridge raises on purpose, as one tree.

    RtbridgeError
    ├── PeerError                the caller or an HTTP client is wrong: becomes a 4xx/503 in OpenAI's shape
    │   ├── BadRequest           400  a body, header or query that does not parse
    │   ├── BadOffer             400  an SDP offer outside its bounds, or not an audio offer
    │   ├── Unauthorized         401  no or wrong key
    │   ├── Forbidden            403  a foreign Origin or Host
    │   ├── NotFound             404  unknown call, scenario or agent
    │   ├── Conflict             409  somebody was quicker: an approval that was given or refused before
    │   ├── PreconditionFailed   412  an If-Match that names another ICE session (RFC 9725 §4.3.1)
    │   ├── TooLarge             413  a body over its bound
    │   ├── UnsupportedMedia     415  a body of a type or coding that is not taken here
    │   ├── Unprocessable        422  well formed, and not to be done: an ICE restart by PATCH, a reused key
    │   ├── PreconditionRequired 428  a PATCH without If-Match (RFC 9725 §4.3.1)
    │   ├── TooManyRequests      429  a limit; carries retry_after_s
    │   └── Unavailable          503  draining, full or without upstream; carries retry_after_s
    ├── UpstreamError            the upstream leg
    │   ├── UpstreamRefused      it said no: 401, 403, 404; trying again is pointless
    │   └── UpstreamLost         it went away: recovery or a spoken ending
    ├── ScenarioError            a scenario folder that cannot be served (names file, line and what to do)
    ├── StoryError               a replay story that cannot be run (names file, line and what to do)
    ├── ReplayError              a replay that could not be carried out: no bridge, no clock left, no parts
    ├── RemoteError              a running bridge that a command could not reach, or that said no
    ├── MissingPart              a model file or optional package of the engine that is not there
    ├── SettingsError            a setting that cannot be obeyed
    ├── Refused                  a tool or handoff that must not be done now; the model is told why
    └── Closed                   the thing was closed; using it again is a bug of ours

Anything else that escapes is a bug.
"""

from __future__ import annotations

from typing import Any, ClassVar


class RtbridgeError(Exception):
    """The root of what rtbridge raises on purpose."""


class PeerError(RtbridgeError):
    """The other side is wrong. Carries what OpenAI's error shape needs."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s

    def as_body(self) -> dict[str, dict[str, str | None]]:
        """Return the JSON body in OpenAI's error shape."""
        return {"error": {"type": self.type, "code": self.code, "message": self.message, "param": self.param}}


class BadRequest(PeerError):
    """A body, header or query that does not parse (400)."""


class BadOffer(PeerError):
    """An SDP offer outside its bounds, or one without audio (400)."""


class Unauthorized(PeerError):
    """No key or a wrong one (401)."""

    status = 401
    type = "authentication_error"


class Forbidden(PeerError):
    """A foreign Origin or Host (403)."""

    status = 403
    type = "permission_error"


class NotFound(PeerError):
    """Unknown call, scenario, agent or page (404)."""

    status = 404


class Conflict(PeerError):
    """Somebody was quicker (409)."""

    status = 409


class PreconditionFailed(PeerError):
    """An If-Match that names another ICE session (412)."""

    status = 412


class TooLarge(PeerError):
    """A body over its bound (413)."""

    status = 413


class UnsupportedMedia(PeerError):
    """A body of a type or coding that is not taken here (415)."""

    status = 415


class Unprocessable(PeerError):
    """Well formed, and not to be done (422)."""

    status = 422


class PreconditionRequired(PeerError):
    """A PATCH without If-Match (428)."""

    status = 428


class TooManyRequests(PeerError):
    """A rate or a number of calls over its limit (429)."""

    status = 429
    type = "rate_limit_error"


class Unavailable(PeerError):
    """Draining, full, or without upstream (503)."""

    status = 503
    type = "server_error"


class UpstreamError(RtbridgeError):
    """Something about the upstream leg."""


class UpstreamRefused(UpstreamError):
    """The upstream said no (401, 403, 404); trying again is pointless."""


class UpstreamLost(UpstreamError):
    """The upstream went away, by any close code nobody asked for."""


class ScenarioError(RtbridgeError):
    """A scenario that cannot be served; the message names file, line and what to do."""


class StoryError(RtbridgeError):
    """A story that cannot be run; the message names file, line and what to do."""


class ReplayError(RtbridgeError):
    """A replay that could not be carried out, whatever its story expects."""


class RemoteError(RtbridgeError):
    """A running bridge could not be reached, or refused what a command asked of it."""


class MissingPart(RtbridgeError):
    """A model file or optional package of the engine that is not there."""


class SettingsError(RtbridgeError):
    """A setting that cannot be obeyed."""


class Refused(RtbridgeError):
    """A tool or handoff that must not be done now, and was not begun; its message tells the model what to do first."""


class Closed(RtbridgeError):
    """The thing was closed before."""


def on_purpose(group: BaseExceptionGroup[Any]) -> RtbridgeError | None:
    """Return the error of ours that a TaskGroup wrapped, when it is the only one."""
    while len(group.exceptions) == 1:
        (inner,) = group.exceptions
        if isinstance(inner, RtbridgeError):
            return inner
        if not isinstance(inner, BaseExceptionGroup):
            return None
        group = inner
    return None


def first_of(group: BaseExceptionGroup[Any]) -> BaseException:
    """Return the first exception in a group that is no group itself."""
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
