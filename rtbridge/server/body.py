"""Reading what strangers send: bodies within bytes and seconds, JSON objects, and the two shapes of an offer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final

from aiohttp import web

from rtbridge.core import dialect
from rtbridge.errors import BadRequest, TooLarge, UnsupportedMedia

MOST_BODY_BYTES: Final = 256 * 1024
BODY_TIMEOUT_S: Final = 7.0
_MOST_PARTS = 4
_MOST_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Offer:
    """What POST /v1/realtime/calls brings: an SDP offer, not yet parsed, and the client's wishes for the session."""

    sdp: str
    session: dict[str, Any]


async def read_bytes(request: web.Request) -> bytes:
    """Return the body. Raises TooLarge over 256 KiB, UnsupportedMedia when it is compressed, BadRequest after 7 s."""
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        # A kilobyte of gzip can hold a megabyte: nothing that is sent here is worth inflating.
        raise UnsupportedMedia("Send the body without Content-Encoding.", code="unsupported_content_encoding")
    if request.content_length is not None and request.content_length > MOST_BODY_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except TimeoutError:
        raise _too_slow() from None


async def read_offer(request: web.Request) -> Offer:
    """Return the offer: bare `application/sdp`, or multipart/form-data with `sdp` and, if wished, `session`.

    Raises BadRequest, TooLarge, UnsupportedMedia.
    """
    if request.content_type == "application/sdp":
        return Offer(_text(await read_bytes(request), "body"), {})
    if request.content_type == "multipart/form-data":
        return await _read_form(request)
    raise UnsupportedMedia(
        "Send the offer as application/sdp, or as multipart/form-data with the parts sdp and session.",
        code="unsupported_content_type",
    )


async def read_object(request: web.Request) -> dict[str, Any]:
    """Return the body as a JSON object; an empty body is an empty object. Raises as `read_bytes`, and BadRequest."""
    raw = await read_bytes(request)
    if not raw.strip():
        return {}
    if request.content_type != "application/json":
        # Not only tidiness: a cross-site form can send text/plain without asking, never application/json.
        raise UnsupportedMedia("Send the body as application/json.", code="unsupported_content_type")
    return parse_object(_text(raw, "body"), "body")


def parse_object(text: str, param: str) -> dict[str, Any]:
    """Parse a JSON object of at most 32 levels. Raises BadRequest naming `param`."""
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # RecursionError: a bomb of brackets
        raise BadRequest(f"{param} is not valid JSON.", code="invalid_json", param=param) from None
    if not isinstance(found, dict):
        raise BadRequest(f"{param} is not a JSON object.", code="invalid_type", param=param)
    if _deeper_than(found, _MOST_DEPTH):
        raise BadRequest(
            f"{param} is nested deeper than {_MOST_DEPTH} levels.", code="invalid_json", param=param
        )
    return found


async def _read_form(request: web.Request) -> Offer:
    raw = await read_bytes(request)
    boundary = _parameter(request.headers.get("Content-Type", ""), "boundary")
    if not boundary or len(boundary) > 70:  # RFC 2046 §5.1.1
        raise BadRequest(
            "The multipart body has no boundary of 1 to 70 characters.", code="invalid_multipart"
        )
    parts = parse_form(raw, boundary)
    if "sdp" not in parts:
        raise BadRequest("The form has no part named sdp.", code="missing_required_parameter", param="sdp")
    session = _text(parts.get("session", b""), "session")
    return Offer(_text(parts["sdp"], "sdp"), parse_object(session, "session") if session.strip() else {})


def check_wish(session: dict[str, Any]) -> None:
    """Refuse a session that could not be wished for over the data channel either (event session.update).

    Raises BadRequest that names the part, TooLarge over 64 KiB.
    """
    wish = {"type": "session.update", "session": session}
    if len(json.dumps(wish)) > dialect.MAX_MESSAGE_BYTES:
        raise TooLarge(
            f"session is over {dialect.MAX_MESSAGE_BYTES // 1024} KiB.",
            code="session_too_large",
            param="session",
        )
    try:
        dialect.turn_detection(wish)
    except dialect.Refused as no:
        raise BadRequest(no.message, code=no.code, param=no.param) from None


def parse_form(raw: bytes, boundary: str) -> dict[str, bytes]:
    """Return the parts of a multipart/form-data body by name (RFC 7578). Raises BadRequest.

    By hand, since `aiohttp`'s `request.post()` gives bytes or text depending on a part's own headers (the openai
    Python client sends each part with a content type and no file name, a browser's FormData neither), and since
    every step here is linear in the body.
    """
    delimiter = b"\r\n--" + boundary.encode()
    sections = (b"\r\n" + raw).split(delimiter, _MOST_PARTS + 1)
    parts: dict[str, bytes] = {}
    for section in sections[1:]:
        if section.startswith(b"--"):
            return parts
        head, blank, body = section.partition(b"\r\n\r\n")
        name = ""
        for line in head.decode("utf-8", "replace").split("\r\n"):
            field, _, value = line.partition(":")
            if field.strip().lower() == "content-disposition":
                name = _parameter(value.strip(), "name")
        if not blank or not name:
            raise BadRequest("A part of the form has no name.", code="invalid_multipart")
        parts[name] = body
    raise BadRequest(
        f"The form does not end, or has more than {_MOST_PARTS} parts; sdp and session are all that is read.",
        code="invalid_multipart",
    )


def _parameter(value: str, name: str) -> str:
    header = Message()
    header["Content-Type"] = value.replace("\r", " ").replace("\n", " ")
    found = header.get_param(name)
    return found if isinstance(found, str) else ""


def _text(raw: bytes, param: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"{param} is not UTF-8 text.", code="invalid_encoding", param=param) from None


def _deeper_than(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return levels == 0 or any(_deeper_than(inner, levels - 1) for inner in value)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _too_large() -> TooLarge:
    return TooLarge(f"The body is over {MOST_BODY_BYTES // 1024} KiB.", code="body_too_large")


def _too_slow() -> BadRequest:
    return BadRequest(f"The body did not arrive within {BODY_TIMEOUT_S:g} s.", code="request_timeout")
