"""The engine as a server of its own: the Realtime WebSocket, two text endpoints and a health check, on aiohttp.

A key is accepted and never asked for: the engine binds to loopback unless told otherwise and holds no secrets.
Connections, frames and bodies are bounded; frames are not compressed, since audio in base64 does not shrink.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from rtbridge.engine import text_answers, text_api
from rtbridge.engine.connection import Connection, Wire, random_id
from rtbridge.engine.faults import Fault, FaultyWire, Refusal, refuse_connection
from rtbridge.engine.parts import EngineParts, TextReply
from rtbridge.errors import BadRequest, Closed, PeerError, RtbridgeError

log = logging.getLogger(__name__)

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024  # an append of 15 MiB of base64, the API's bound, fits
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
HEARTBEAT_S: Final = 20.0
SERVER: Final = "rtbridge engine"  # by which a bridge that is given our URL knows us
CLOSE_S: Final = 2.0


class _SocketWire:
    """A WebSocket as the driver's wire."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> str:
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data)
        if message.type is WSMsgType.BINARY:
            return bytes(message.data).decode("utf-8", "replace")
        raise Closed("the client has gone")

    async def send(self, frame: str) -> None:
        try:
            await self._socket.send_str(frame)
        except (ConnectionError, RuntimeError) as error:  # aiohttp raises these on a closing transport
            raise Closed("the client has gone") from error


async def _end(request: web.Request, socket: web.WebSocketResponse, code: int | None) -> None:
    """End a connection as a scripted fault does."""
    if code is not None:
        await socket.close(code=code)
    elif request.transport is not None:
        request.transport.abort()


class Engine:
    """The routes, and the connections they hold."""

    def __init__(
        self,
        parts: EngineParts,
        *,
        max_connections: int = 64,
        new_id: Callable[[str], str] = random_id,
        faults: Sequence[Fault] = (),
    ) -> None:
        """`faults` happen to every connection."""
        self._parts = parts
        self._max = max_connections
        self._new_id = new_id
        self._faults = faults
        self._sockets: set[web.WebSocketResponse] = set()

    def app(self) -> web.Application:
        """Return the aiohttp application. Each API route exists with and without `/v1`."""
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_errors])
        for prefix in ("/v1", ""):
            app.router.add_get(f"{prefix}/realtime", self._realtime)
            app.router.add_post(f"{prefix}/responses", self._responses)
            app.router.add_post(f"{prefix}/chat/completions", self._chat)
        app.router.add_get("/livez", self._livez)
        app.on_shutdown.append(self._close_sockets)
        return app

    async def _livez(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "server": SERVER, "connections": len(self._sockets)})

    async def _close_sockets(self, app: web.Application) -> None:
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the engine is shutting down")

    # -- realtime ---------------------------------------------------------------------------------------------
    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        try:
            refuse_connection(self._faults)
        except Refusal as refusal:
            headers = {"Retry-After": "1"} if refusal.status in (429, 503) else {}
            return web.Response(status=refusal.status, text=str(refusal), headers=headers)
        # Browsers offer "realtime" and carry their key in further subprotocols; only the first is selected.
        socket = web.WebSocketResponse(
            protocols=("realtime",), compress=False, max_msg_size=MAX_FRAME_BYTES, heartbeat=HEARTBEAT_S
        )
        if not socket.can_prepare(request):
            raise BadRequest(
                "This path speaks WebSocket: send an Upgrade request.", code="websocket_required"
            )
        await socket.prepare(request)
        if len(self._sockets) >= self._max:
            await self._refuse(socket)
            return socket
        self._sockets.add(socket)
        try:
            model = request.query.get("model") or "rtbridge-engine"
            wire: Wire = _SocketWire(socket)
            if self._faults:
                wire = FaultyWire(wire, self._faults, end=partial(_end, request, socket))
            await Connection(wire, self._parts, model=model, new_id=self._new_id).run()
        except* Exception:
            log.exception("an engine connection failed")
            await socket.close(code=WSCloseCode.INTERNAL_ERROR)
        finally:
            self._sockets.discard(socket)
            await socket.close()
        return socket

    async def _refuse(self, socket: web.WebSocketResponse) -> None:
        message = f"This engine serves {self._max} connections and all are taken. Try again later."
        error = {"type": "server_error", "code": "session_limit_reached", "message": message, "param": None}
        await socket.send_json({"type": "error", "event_id": self._new_id("event"), "error": error})
        await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"session_limit_reached")

    # -- text -------------------------------------------------------------------------------------------------
    async def _ask(self, question: text_api.Question) -> TextReply:
        text = self._parts.text
        return await asyncio.get_running_loop().run_in_executor(
            None,
            lambda: text.respond(question.messages, question.tools, question.model, question.response_format),
        )

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        question = text_api.chat_question(body)
        answer = text_answers.ChatAnswer(question, await self._ask(question), self._new_id, _wall_time_s())
        if not question.stream:
            return web.json_response(answer.whole())
        include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        frames = [f"data: {json.dumps(chunk)}\n\n" for chunk in answer.stream(include_usage=include_usage)]
        return await _server_sent(request, [*frames, "data: [DONE]\n\n"])

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        question = text_api.responses_question(body)
        reply = await self._ask(question)
        answer = text_answers.ResponsesAnswer(question, body, reply, self._new_id, _wall_time_s())
        if not question.stream:
            return web.json_response(answer.whole())
        frames = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in answer.stream()]
        return await _server_sent(request, frames)


def _wall_time_s() -> int:
    """Return the wall time for the API's `created` fields; nothing is timed by it."""
    return int(datetime.now(UTC).timestamp())


async def _json(request: web.Request) -> Any:
    try:
        return await request.json()
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.", code="invalid_json") from None


async def _server_sent(request: web.Request, frames: Iterable[str]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    for frame in frames:
        await response.write(frame.encode())
    await response.write_eof()
    return response


@web.middleware
async def _errors(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    """Spell every error in OpenAI's shape."""
    try:
        found: web.StreamResponse = await handler(request)
    except PeerError as error:
        return web.json_response(error.as_body(), status=error.status)
    except web.HTTPException as error:
        message = f"{request.method} {request.path}: {error.reason}."
        body = BadRequest(message, code=error.reason.lower().replace(" ", "_")).as_body()
        return web.json_response(body, status=error.status)
    except RtbridgeError as error:
        return _server_error(str(error), 502)
    except Exception as error:
        log.error("the engine failed at %s %s", request.method, request.path, exc_info=error)
        return _server_error(f"The engine failed: {type(error).__name__}.", 500)
    return found


def _server_error(message: str, status: int) -> web.Response:
    detail = {"type": "server_error", "code": "server_error", "message": message, "param": None}
    return web.json_response({"error": detail}, status=status)


class RunningEngine:
    """A server that listens. `port` is the bound one."""

    def __init__(self, runner: web.AppRunner, host: str, port: int) -> None:
        self._runner = runner
        self.host = host
        self.port = port

    @property
    def realtime_url(self) -> str:
        """Return the WebSocket URL, without a model."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}/v1/realtime"

    async def close(self) -> None:
        """Close the connections with 1001 and stop listening; idempotent."""
        await self._runner.cleanup()


async def serve(
    parts: EngineParts,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    max_connections: int = 64,
    new_id: Callable[[str], str] = random_id,
    faults: Sequence[Fault] = (),
) -> RunningEngine:
    """Listen on `host`:`port` (0 picks a free port) and return the running server. Raises OSError when it cannot."""
    app = Engine(parts, max_connections=max_connections, new_id=new_id, faults=faults).app()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return RunningEngine(runner, host, runner.addresses[0][1])


@asynccontextmanager
async def serving(
    parts: EngineParts, host: str = "127.0.0.1", port: int = 0, *, faults: Sequence[Fault] = ()
) -> AsyncIterator[RunningEngine]:
    """Serve for the length of an `async with`; `faults` happen to every connection."""
    running = await serve(parts, host, port, faults=faults)
    try:
        yield running
    finally:
        await running.close()
