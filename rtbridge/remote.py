"""Commands that speak to a running bridge: which tool calls wait for the operator, and the operator's word on them.

They read the settings that the bridge reads, so that on its own machine they find it, and show it one of its own
caller keys. What is printed was written by a model that strangers talk to: no control character of it reaches a
terminal.
"""

from __future__ import annotations

import argparse
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

from rtbridge.errors import RemoteError
from rtbridge.settings import Settings, load_settings

TIMEOUT_S: Final = 10.0
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_SHOWN: Final = 2000  # characters of arguments

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Add `approvals`, `approve` and `reject` to a command line."""
    approvals = add(
        "approvals", _approvals, "List the tool calls of a running bridge that wait for approval."
    )
    approve = add("approve", _approve, "Let a tool call run that waits for approval.")
    reject = add("reject", _reject, "Refuse a tool call that waits for approval.")
    for command in (approve, reject):
        command.add_argument("call_id", metavar="CALL_ID", help="the call, as `rtbridge approvals` names it")
        command.add_argument("tool_call_id", metavar="TOOL_CALL_ID", help="the tool call in it")
    reject.add_argument("--message", default="", help="why; the agent is told")
    for command in (approvals, approve, reject):
        command.add_argument("--url", help="the bridge; by default the one of these settings on this machine")


def _approvals(args: argparse.Namespace) -> int:
    waiting = _ask(args, "GET", "/v1/realtime/approvals").get("data") or []
    for one in waiting:
        call_id, tool_call_id, seconds = one["call_id"], one["tool_call_id"], one["expires_in_ms"] // 1000
        print(_plain(f"{call_id} {tool_call_id}  {seconds} s left"))
        print(_plain(f"  {one['agent']}: {one['name']} {one['arguments']}"))
    if not waiting:
        print("No tool call waits for approval.")
    return 0


def _approve(args: argparse.Namespace) -> int:
    return _answer(args, {"approve": True})


def _reject(args: argparse.Namespace) -> int:
    return _answer(args, {"approve": False, **({"message": args.message} if args.message else {})})


def _answer(args: argparse.Namespace, body: dict[str, Any]) -> int:
    path = f"/v1/realtime/calls/{quote(args.call_id, safe='')}/approvals/{quote(args.tool_call_id, safe='')}"
    answered = _ask(args, "POST", path, body)
    print(_plain(f"{answered['state']}: {answered['tool_call_id']}"))
    return 0


def _ask(args: argparse.Namespace, method: str, path: str, body: Any = None) -> dict[str, Any]:
    settings = load_settings()
    base = (args.url or _own_url(settings)).rstrip("/")
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).netloc:
        raise RemoteError(f"{base!r} is not the URL of a bridge; write it like http://127.0.0.1:8080")
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if settings.api_keys:
        headers["Authorization"] = f"Bearer {settings.api_keys[0].get_secret_value()}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data=data, headers=headers, method=method)
    # A key goes to the bridge it is for and nowhere else: no proxy of the environment, no redirection.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    try:
        with opener.open(request, timeout=TIMEOUT_S) as response:
            return _object(response.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        said = _object(error.read(MOST_BYTES)).get("error")
        message = said.get("message") if isinstance(said, dict) else None
        raise RemoteError(_plain(str(message or f"{base} answered HTTP {error.code}"))) from None
    except (urllib.error.URLError, OSError) as error:
        raise RemoteError(
            f"no bridge answers at {base} ({getattr(error, 'reason', error)}); start it with `rtbridge serve`, or "
            "name it with --url"
        ) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _own_url(settings: Settings) -> str:
    host = settings.host if settings.on_loopback else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _plain(text: str) -> str:
    cut = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… (+{len(text) - MOST_SHOWN} characters)"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
