"""The door: DNS rebinding, foreign origins, preflights, and who gets CORS headers."""

from __future__ import annotations

import pytest

from server_rig import OFFER, SDP, Running, running

KEY = "a-caller-key-of-good-length"
FOREIGN = "https://evil.example"
APP = "https://app.example"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "0.0.0.0",
        "192.168.1.5:8080",
        "[::2]:80",
        "localhost:80:80",
        "local host",
        "[::1",
        "::1",
        "localhost:x",
    ],
)
async def test_a_host_that_is_not_loopback_gets_no_call_no_page_and_no_secret(host: str) -> None:
    async with running() as bridge:
        for method, path in (
            ("POST", "/v1/realtime/calls"),
            ("POST", "/v1/realtime/client_secrets"),
            ("GET", "/"),
        ):
            status, headers, _ = await bridge.ask(method, path, data=OFFER, headers={**SDP, "Host": host})
            assert status in (400, 403)
            assert "Access-Control-Allow-Origin" not in headers
        assert bridge.legs == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:{port}", "LOCALHOST", "[::1]:{port}", "127.8.9.1:1", "my.name:8080"]
)
async def test_names_of_loopback_and_allowed_hosts_are_served(host: str) -> None:
    async with running(allowed_hosts="my.name") as bridge:
        status, _, _ = await bridge.call(headers={"Host": host.format(port=bridge.port)})
        assert status == 201


async def test_our_own_page_may_call_and_gets_no_cors_headers() -> None:
    async with running() as bridge:
        status, headers, _ = await bridge.call(headers={"Origin": bridge.origin})
        assert status == 201
        assert not [name for name in headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    "origin",
    [
        FOREIGN,
        "null",
        "",
        "http://127.0.0.1",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}",
    ],
)
async def test_any_other_origin_is_refused_before_anything_happens(origin: str) -> None:
    async with running() as bridge:
        headers = {"Origin": origin.format(port=bridge.port)}
        for method, path in (
            ("POST", "/v1/realtime/calls"),
            ("POST", "/v1/realtime/client_secrets"),
            ("DELETE", "/v1/realtime/calls/rtc_1"),
            ("GET", "/v1/scenarios"),
        ):
            status, got, error = await bridge.ask(method, path, data=OFFER, headers=SDP | headers)
            assert (status, error["error"]["code"]) == (403, "origin_not_allowed")
            assert "Access-Control-Allow-Origin" not in got
        assert bridge.legs == []


async def test_a_listed_origin_may_call_and_read_the_location_but_not_mint() -> None:
    async with running(allowed_origins=APP) as bridge:
        status, headers, _ = await bridge.call(headers={"Origin": APP})
        assert status == 201
        assert headers["Access-Control-Allow-Origin"] == APP
        assert "Location" in headers["Access-Control-Expose-Headers"]
        assert headers["Vary"] == "Origin"
        status, _, error = await bridge.ask("POST", "/v1/realtime/client_secrets", headers={"Origin": APP})
        assert (status, error["error"]["code"]) == (403, "origin_may_not_mint")


async def test_errors_to_a_listed_origin_can_be_read_by_it() -> None:
    async with running(allowed_origins=APP) as bridge:
        status, headers, _ = await bridge.call(headers={"Origin": APP}, query="?scenario=nowhere")
        assert (status, headers["Access-Control-Allow-Origin"]) == (404, APP)


async def test_a_secret_minted_for_a_foreign_origin_lets_it_call_once() -> None:
    async with running() as bridge:
        secret = bearer(await bridge.mint(origin=APP))
        status, headers, _ = await bridge.call(headers=secret | {"Origin": APP})
        assert (status, headers["Access-Control-Allow-Origin"]) == (201, APP)
        ended = await bridge.ask("DELETE", headers["Location"], headers=secret | {"Origin": APP})
        assert (ended[0], ended[1]["Access-Control-Allow-Origin"]) == (200, APP)


@pytest.mark.parametrize("origin", [FOREIGN, None, "own"])
async def test_a_secret_stolen_from_its_origin_opens_nothing(origin: str | None) -> None:
    async with running() as bridge:
        secret = bearer(await bridge.mint(origin=APP))
        headers = {} if origin is None else {"Origin": bridge.origin if origin == "own" else origin}
        status, got, error = await bridge.call(headers=secret | headers)
        assert (status, error["error"]["code"]) == (403, "secret_of_another_origin")
        assert "Access-Control-Allow-Origin" not in got


async def test_a_secret_minted_for_no_origin_does_not_open_the_door_to_a_foreign_one() -> None:
    async with running() as bridge:
        secret = bearer(await bridge.mint())
        assert (await bridge.call(headers=secret | {"Origin": FOREIGN}))[0] == 403
        assert (await bridge.call(headers=secret))[0] == 201


async def test_a_secret_minted_by_our_page_is_bound_to_our_page() -> None:
    async with running() as bridge:
        secret = bearer(await bridge.mint(headers={"Origin": bridge.origin}))
        assert (await bridge.call(headers=secret))[0] == 403
        assert (await bridge.call(headers=secret | {"Origin": bridge.origin}))[0] == 201


async def preflight(bridge: Running, origin: str) -> tuple[int, dict[str, str]]:
    status, headers, _ = await bridge.ask(
        "OPTIONS",
        "/v1/realtime/calls",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-openai-agents-sdk",
        },
    )
    return status, dict(headers)


async def test_a_preflight_passes_for_listed_origins_and_those_a_secret_waits_for() -> None:
    async with running(allowed_origins=APP) as bridge:
        status, headers = await preflight(bridge, APP)
        assert (status, headers["Access-Control-Allow-Origin"]) == (204, APP)
        for needed in ("authorization", "content-type", "x-openai-agents-sdk"):
            assert needed in headers["Access-Control-Allow-Headers"]
        for needed in ("POST", "PATCH", "DELETE"):
            assert needed in headers["Access-Control-Allow-Methods"]
        status, headers = await preflight(bridge, FOREIGN)
        assert status == 403
        assert "Access-Control-Allow-Origin" not in headers
        await bridge.mint(origin=FOREIGN)
        assert (await preflight(bridge, FOREIGN))[0] == 204
        bridge.now_s[0] += 600
        assert (await preflight(bridge, FOREIGN))[0] == 403


async def test_options_without_a_preflight_says_what_may_be_posted() -> None:
    async with running() as bridge:
        status, headers, _ = await bridge.ask("OPTIONS", "/v1/realtime/calls")
        assert (status, headers["Accept-Post"]) == (204, "application/sdp, multipart/form-data")


async def test_probes_are_answered_under_any_host_since_they_tell_nothing() -> None:
    async with running() as bridge:
        for path in ("/livez", "/readyz"):
            assert (await bridge.ask("GET", path, headers={"Host": "10.0.0.7:8080"}))[0] == 200


async def test_a_keyed_bridge_behind_tls_knows_its_own_page_by_host() -> None:
    async with running(host="0.0.0.0", api_keys=(KEY,)) as bridge:
        headers = bearer(KEY) | {"Host": "voice.example", "Origin": "https://voice.example"}
        assert (await bridge.call(headers=headers))[0] == 201
        assert (await bridge.call(headers=headers | {"Origin": FOREIGN}))[0] == 403


async def test_a_bridge_with_allowed_hosts_answers_to_no_other() -> None:
    async with running(host="0.0.0.0", api_keys=(KEY,), allowed_hosts="voice.example") as bridge:
        assert (await bridge.call(headers=bearer(KEY) | {"Host": "voice.example"}))[0] == 201
        assert (await bridge.call(headers=bearer(KEY) | {"Host": "other.example"}))[0] == 403


async def test_a_listed_origin_with_a_key_may_mint_on_a_keyed_bridge() -> None:
    async with running(api_keys=(KEY,), allowed_origins=APP) as bridge:
        secret = await bridge.mint(headers=bearer(KEY) | {"Origin": APP})
        assert (await bridge.call(headers=bearer(secret) | {"Origin": APP}))[0] == 201
