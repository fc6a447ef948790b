"""The aiohttp application: routes, the door in front of them, and errors in OpenAI's shape, the framework's too.

Everything it serves comes in as an argument. What it decides itself is only how HTTP is spoken: which header,
which status, which body.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from rtbridge import logs
from rtbridge.addresses import is_origin
from rtbridge.errors import BadRequest, NotFound, PeerError, Unauthorized, UnsupportedMedia
from rtbridge.server import history
from rtbridge.server.approvals import Approvals
from rtbridge.server.body import MOST_BODY_BYTES, check_wish, read_bytes, read_object, read_offer
from rtbridge.server.calls import Answered, Calls, default_scenario
from rtbridge.server.guard import From, Guard, cors_headers
from rtbridge.server.keys import DEFAULT_TTL_S, LEAST_TTL_S, MOST_TTL_S, Grant, Keyring
from rtbridge.server.ops import Metrics
from rtbridge.server.page import Page
from rtbridge.server.ports import Board, MakeLeg
from rtbridge.server.turn import ice_server_link
from rtbridge.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_GRANT: Final = web.RequestKey("grant", Grant)
_FROM: Final = web.RequestKey("from", From)
_PROBES: Final = ("/livez", "/readyz")  # asked by address; they tell nothing


class Bridge:
    """The application and what outlives a request."""

    def __init__(
        self,
        settings: Settings,
        *,
        board: Board,
        make_leg: MakeLeg,
        page: Page,
        demo: bool,
        now_s: Callable[[], float],
        wall_s: Callable[[], float] = logs.wall_time_s,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics = metrics or Metrics()
        self.keyring = Keyring(settings.api_keys, now_s=now_s, wall_s=wall_s)
        self.calls = Calls(settings, board, make_leg, self.keyring, now_s=now_s)
        self._approvals = Approvals(board, self.calls)
        self._settings = settings
        self._board = board
        self._page = page
        self._demo = demo
        self._wall_s = wall_s
        self._guard = Guard(settings, self.keyring)
        self.web = web.Application(middlewares=[self._door], client_max_size=MOST_BODY_BYTES)
        add = self.web.router
        for path in ("/v1/realtime/calls", "/v1/realtime"):  # the second is what clients used before GA
            add.add_post(path, self._post_call)
            add.add_route("OPTIONS", path, self._options)
        add.add_get("/v1/realtime/calls", self._get_calls)
        add.add_get("/v1/realtime/calls/{call_id}/transcript", self._get_transcript)
        add.add_patch("/v1/realtime/calls/{call_id}", self._patch_call)
        add.add_delete("/v1/realtime/calls/{call_id}", self._end_call)
        add.add_post("/v1/realtime/calls/{call_id}/hangup", self._end_call)
        add.add_get("/v1/realtime/approvals", self._get_approvals)
        add.add_post("/v1/realtime/calls/{call_id}/approvals/{tool_call_id}", self._post_approval)
        add.add_post("/v1/realtime/client_secrets", self._post_secret)
        add.add_post("/v1/realtime/sessions", self._post_session)  # client_secrets before GA
        add.add_get("/v1/scenarios", self._get_scenarios)
        add.add_get("/livez", self._livez)
        add.add_get("/readyz", self._readyz)
        add.add_get("/metrics", self._get_metrics)
        add.add_get("/{name:(?!v1/).*}", self._get_page)

    # -- the door -----------------------------------------------------------------------------------------
    @web.middleware
    async def _door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        cors_for = None
        try:
            if request.path not in _PROBES:
                cors_for = self._let_in(request)
            if "Access-Control-Request-Method" in request.headers and request.method == "OPTIONS":
                response: web.StreamResponse = self._preflight(request)
            else:
                response = await handler(request)
        except PeerError as error:
            response = _refuse(error)
        except web.HTTPException as error:
            response = _of_framework(error)
        except Exception:  # noqa: BLE001 - a request's border: one caller's bug must not become another's
            logs.get("rtbridge.http").exception("request.failed", method=request.method, path=request.path)
            response = _error(
                500, "server_error", "internal_error", "Something failed here; the log tells what."
            )
        if cors_for is not None:
            response.headers.update(cors_headers(cors_for))
        response.headers["Server"] = "rtbridge"
        return response

    def _let_in(self, request: web.Request) -> str | None:
        """Check Host, Origin and bearer; return the Origin that gets CORS headers, if any."""
        self._guard.check_host(request.host)
        origin = request.headers.get("Origin")
        where = self._guard.place(origin, request.host, request.scheme)
        if request.method != "OPTIONS":  # a preflight bears no secret, by design of CORS
            grant = self.keyring.identify(request.headers.get("Authorization"))
            self._guard.check_origin(origin, where, grant)
            if grant is not None:
                request[_GRANT] = grant
        request[_FROM] = where
        return (
            origin
            if where is From.LISTED or (where is From.FOREIGN and request.method != "OPTIONS")
            else None
        )

    def _preflight(self, request: web.Request) -> web.Response:
        origin = request.headers.get("Origin", "")
        self._guard.check_preflight(origin, request[_FROM])
        return web.Response(status=204, headers=cors_headers(origin, preflight=True))

    def _granted(self, request: web.Request) -> Grant:
        return self.keyring.require(request.get(_GRANT))

    # -- calls --------------------------------------------------------------------------------------------
    async def _post_call(self, request: web.Request) -> web.Response:
        try:
            response = await self._answer(request)
        except PeerError as error:
            self.metrics.offers[error.status] += 1
            raise
        self.metrics.offers[response.status] += 1
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        grant = self._granted(request)
        self.calls.admit(request.remote or "", grant)
        offer = await read_offer(request)
        scenario, agent = _wanted(request)

        async def make() -> Answered:
            return await self.calls.open(offer, grant, scenario=scenario, agent=agent)

        key = request.headers.get("Idempotency-Key")
        if key is None:
            answered, again = await make(), False
        else:
            content = repr((offer.sdp, scenario, agent)).encode()
            answered, again = await self.calls.once(grant, key, content, make)
        headers = {
            "Content-Type": "application/sdp",
            "Location": f"/v1/realtime/calls/{answered.call_id}",
            "ETag": answered.etag,
            **self._links(),
        }
        if again:
            headers["Idempotency-Replayed"] = "true"
        return web.Response(status=201, body=answered.answer.encode(), headers=headers)

    async def _patch_call(self, request: web.Request) -> web.Response:
        grant = self._granted(request)
        if request.content_type != "application/trickle-ice-sdpfrag":  # RFC 8840 §9
            raise UnsupportedMedia(
                "Send candidates as application/trickle-ice-sdpfrag.", code="unsupported_content_type"
            )
        fragment = await read_bytes(request)
        await self.calls.add_candidates(
            request.match_info["call_id"],
            grant,
            fragment.decode("utf-8", "replace"),
            if_match=request.headers.get("If-Match"),
        )
        return web.Response(status=204)

    async def _end_call(self, request: web.Request) -> web.Response:
        self.calls.hangup(request.match_info["call_id"], self._granted(request))
        return web.Response(status=200)

    async def _get_calls(self, request: web.Request) -> web.Response:
        grant = self._granted(request)
        history.check_reader(grant, request[_FROM])
        return history.listed(self._board, grant)

    async def _get_transcript(self, request: web.Request) -> web.Response:
        grant = self._granted(request)
        history.check_reader(grant, request[_FROM])
        return history.transcript(self._board, grant, request.match_info["call_id"])

    async def _get_approvals(self, request: web.Request) -> web.Response:
        return web.json_response(self._approvals.listed(self._granted(request), request[_FROM]))

    async def _post_approval(self, request: web.Request) -> web.Response:
        grant, named = self._granted(request), request.match_info
        body = await read_object(request)
        answered = self._approvals.answer(
            grant, request[_FROM], named["call_id"], named["tool_call_id"], body
        )
        return web.json_response(answered)

    async def _options(self, _request: web.Request) -> web.Response:
        # RFC 9725 §4.2: what may be posted, and (§4.6) which ICE servers to gather with.
        return web.Response(
            status=204, headers={"Accept-Post": "application/sdp, multipart/form-data", **self._links()}
        )

    def _links(self) -> dict[str, str]:
        link = ice_server_link(self._settings, self._wall_s)
        return {"Link": link} if link else {}

    # -- secrets and lists --------------------------------------------------------------------------------
    async def _post_secret(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        session = body.get("session", {})
        if not isinstance(session, dict):
            raise BadRequest("session is not an object.", code="invalid_type", param="session")
        minted = self._mint(request, session, _ttl_s(body.get("expires_after")), body.get("origin"))
        return web.json_response(minted | {"session": {"type": "realtime", **session}})

    async def _post_session(self, request: web.Request) -> web.Response:
        session = await read_object(request)
        minted = self._mint(request, session, DEFAULT_TTL_S, None)
        return web.json_response({"object": "realtime.session", **session, "client_secret": minted})

    def _mint(self, request: web.Request, session: dict[str, Any], ttl_s: int, origin: Any) -> dict[str, Any]:
        grant = self._granted(request)
        self._guard.check_mint(request[_FROM])
        check_wish(session)
        if origin is not None and not (isinstance(origin, str) and is_origin(origin)):
            raise BadRequest(
                "origin is not a web origin like https://app.example.org.",
                code="invalid_value",
                param="origin",
            )
        scenario, agent = _wanted(request)
        if scenario is not None or agent is not None:
            known = self._board.scenarios.get(scenario or "")
            if known is None:
                raise NotFound(
                    f"There is no scenario {str(scenario)[:64]!r}; there are: {', '.join(self._board.scenarios)}.",
                    code="scenario_not_found",
                    param="scenario",
                )
            if agent is not None and agent not in known.agents:
                raise NotFound(
                    f"Scenario {scenario!r} has no agent {agent[:64]!r}; it has: {', '.join(known.agents)}.",
                    code="agent_not_found",
                    param="agent",
                )
        minted = self.keyring.mint(
            grant,
            origin=origin or request.headers.get("Origin"),
            scenario=scenario,
            agent=agent,
            session=session,
            ttl_s=ttl_s,
            alive=self.calls.alive,
        )
        return {"value": minted.value, "expires_at": minted.expires_at}

    async def _get_scenarios(self, _request: web.Request) -> web.Response:
        listed = [
            {
                "id": scenario.id,
                "title": scenario.title,
                "start": scenario.start,
                "agents": [
                    {"name": name, "description": agent.handoff_description or ""}
                    for name, agent in scenario.agents.items()
                ],
            }
            for scenario in self._board.scenarios.values()
        ]
        default = default_scenario(self._board.scenarios)
        return web.json_response({"data": listed, "default": default, "demo": self._demo})

    # -- operations and page ------------------------------------------------------------------------------
    async def _livez(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        if self.calls.draining:
            return web.json_response({"status": "draining"}, status=503, headers={"Retry-After": "5"})
        return web.json_response({"status": "ready"})

    async def _get_metrics(self, request: web.Request) -> web.Response:
        grant = self._granted(request)
        if not (grant.by_key or self.keyring.keyless):
            raise Unauthorized("Metrics need a caller key.", code="invalid_api_key")
        text = self.metrics.render(live=self._board.live, draining=self.calls.draining)
        return web.Response(
            body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def _get_page(self, request: web.Request) -> web.Response:
        return self._page.respond(request, request.match_info["name"])


def _wanted(request: web.Request) -> tuple[str | None, str | None]:
    return request.query.get("scenario") or None, request.query.get("agent") or None


def _ttl_s(expires_after: Any) -> int:
    if expires_after is None:
        return DEFAULT_TTL_S
    seconds = expires_after.get("seconds", DEFAULT_TTL_S) if isinstance(expires_after, dict) else None
    if type(seconds) is not int or not LEAST_TTL_S <= seconds <= MOST_TTL_S:
        raise BadRequest(
            f'expires_after is {{"anchor": "created_at", "seconds": {LEAST_TTL_S}-{MOST_TTL_S}}}.',
            code="invalid_value",
            param="expires_after.seconds",
        )
    return seconds


def _refuse(error: PeerError) -> web.Response:
    response = web.json_response(error.as_body(), status=error.status)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"  # RFC 9110 §11.6.1
    return response


def _of_framework(error: web.HTTPException) -> web.Response:
    code, message = {
        404: ("not_found", "There is nothing at this path."),
        405: ("method_not_allowed", "This path does not take this method."),
        413: ("body_too_large", "The body is too large."),
        417: ("expectation_failed", "Only `Expect: 100-continue` is understood."),
    }.get(error.status, ("http_error", error.reason))
    response = _error(error.status, "invalid_request_error", code, message)
    if allowed := error.headers.get("Allow"):
        response.headers["Allow"] = allowed
    return response


def _error(status: int, type_: str, code: str, message: str) -> web.Response:
    return web.json_response(
        {"error": {"type": type_, "code": code, "message": message, "param": None}}, status=status
    )
