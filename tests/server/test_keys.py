"""Keys and secrets: what is forged, stolen, replayed or expired opens nothing, and nothing usable is kept."""

from __future__ import annotations

import pytest
from openai import AsyncOpenAI
from pydantic import SecretStr

from rtbridge.errors import TooManyRequests, Unauthorized
from rtbridge.server.keys import MOST_SECRETS, Grant, Keyring
from server_rig import running

KEY = "a-caller-key-of-good-length"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def keyring(*keys: str, clock: list[float] | None = None) -> Keyring:
    now_s = clock or [0.0]
    return Keyring([SecretStr(key) for key in keys], now_s=lambda: now_s[0], wall_s=lambda: 1_700_000_000.9)


async def test_a_minted_secret_has_at_least_128_bits_and_says_when_it_ends() -> None:
    async with running() as bridge:
        status, _, minted = await bridge.ask(
            "POST",
            "/v1/realtime/client_secrets",
            json={"expires_after": {"anchor": "created_at", "seconds": 10}, "session": {"type": "realtime"}},
        )
        assert status == 200
        assert minted["value"].startswith("ek_")
        assert len(minted["value"]) >= 3 + 128 / 6
        assert minted["expires_at"] == 1_700_000_010
        assert minted["session"] == {"type": "realtime"}
        assert len({await bridge.mint() for _ in range(50)}) == 50


async def test_the_default_life_of_a_secret_is_600_seconds() -> None:
    async with running() as bridge:
        _, _, minted = await bridge.ask("POST", "/v1/realtime/client_secrets")
        assert minted["expires_at"] == 1_700_000_600


@pytest.mark.parametrize("seconds", [9, 7201, 60.5, "60", True, None])
async def test_a_life_outside_10_to_7200_seconds_is_refused(seconds: object) -> None:
    async with running() as bridge:
        status, _, error = await bridge.ask(
            "POST", "/v1/realtime/client_secrets", json={"expires_after": {"seconds": seconds}}
        )
        assert (status, error["error"]["param"]) == (400, "expires_after.seconds")


async def test_the_openai_python_client_mints_a_secret() -> None:
    async with running() as bridge, AsyncOpenAI(base_url=f"{bridge.origin}/v1", api_key="any") as client:
        minted = await client.realtime.client_secrets.create(session={"type": "realtime"})
        assert (await bridge.call(headers=bearer(minted.value)))[0] == 201


async def test_the_older_sessions_path_mints_too() -> None:
    async with running() as bridge:
        _, _, minted = await bridge.ask("POST", "/v1/realtime/sessions", json={"model": "m"})
        assert minted["model"] == "m"
        assert (await bridge.call(headers=bearer(minted["client_secret"]["value"])))[0] == 201


async def test_a_secret_opens_one_call_and_can_end_it() -> None:
    async with running(api_keys=(KEY,)) as bridge:
        secret = bearer(await bridge.mint(headers=bearer(KEY)))
        status, headers, _ = await bridge.call(headers=secret)
        assert status == 201
        status, _, error = await bridge.call(headers=secret)
        assert (status, error["error"]["code"]) == (401, "client_secret_used")
        bridge.now_s[0] += 601
        assert (await bridge.ask("DELETE", headers["Location"], headers=secret))[0] == 200


async def test_a_secret_cannot_end_the_call_of_another_secret_but_its_minter_can() -> None:
    async with running(api_keys=(KEY,)) as bridge:
        one = bearer(await bridge.mint(headers=bearer(KEY)))
        two = bearer(await bridge.mint(headers=bearer(KEY)))
        _, headers, _ = await bridge.call(headers=one)
        assert (await bridge.ask("DELETE", headers["Location"], headers=two))[0] == 404
        assert (await bridge.ask("DELETE", headers["Location"], headers=bearer(KEY)))[0] == 200


async def test_a_refused_offer_does_not_use_the_secret_up() -> None:
    async with running() as bridge:
        secret = bearer(await bridge.mint())
        assert (await bridge.call(headers=secret, offer="junk"))[0] == 400
        assert (await bridge.call(headers=secret, query="?scenario=nowhere"))[0] == 404
        assert (await bridge.call(headers=secret))[0] == 201


async def test_the_same_idempotency_key_works_with_a_used_secret() -> None:
    async with running() as bridge:
        headers = bearer(await bridge.mint()) | {"Idempotency-Key": "k"}
        first, second = await bridge.call(headers=headers), await bridge.call(headers=headers)
        assert (first[0], second[0]) == (201, 201)
        assert first[2] == second[2]


async def test_an_expired_secret_is_refused_even_where_none_is_needed() -> None:
    async with running() as bridge:
        secret = bearer(await bridge.mint())
        bridge.now_s[0] += 600
        status, headers, error = await bridge.call(headers=secret)
        assert (status, error["error"]["code"]) == (401, "invalid_client_secret")
        assert error["error"]["type"] == "authentication_error"
        assert headers["WWW-Authenticate"] == "Bearer"


async def test_a_forged_secret_is_refused() -> None:
    async with running() as bridge:
        secret = await bridge.mint()
        for forged in ("ek_", "ek_" + "A" * 32, secret[:-1], secret + "A", "ek_" + secret[3:].swapcase()):
            assert (await bridge.call(headers=bearer(forged)))[0] == 401


async def test_a_secret_is_bound_to_the_scenario_and_agent_it_was_minted_for() -> None:
    async with running() as bridge:
        secret = bearer(await bridge.mint(query="?scenario=simple_handoff&agent=haikuWriter"))
        status, _, error = await bridge.call(headers=secret, query="?scenario=other")
        assert (status, error["error"]["code"]) == (403, "secret_of_another_scenario")
        assert (await bridge.call(headers=secret, query="?scenario=simple_handoff&agent=greeter"))[0] == 403
        assert (await bridge.call(headers=secret))[0] == 201
        assert bridge.board.asked == [("simple_handoff", "haikuWriter", "")]


@pytest.mark.parametrize(
    "query", ["?scenario=nowhere", "?scenario=simple_handoff&agent=nobody", "?agent=greeter"]
)
async def test_a_secret_for_what_is_not_there_is_not_minted(query: str) -> None:
    async with running() as bridge:
        assert (await bridge.ask("POST", f"/v1/realtime/client_secrets{query}"))[0] == 404


async def test_with_keys_configured_nothing_goes_without_one() -> None:
    async with running(api_keys=(KEY,)) as bridge:
        for path in ("/v1/realtime/calls", "/v1/realtime/client_secrets"):
            for headers in (
                {},
                bearer("wrong-key-of-good-length"),
                {"Authorization": KEY},
                {"Authorization": "Basic x"},
            ):
                status, _, error = await bridge.ask("POST", path, headers=headers)
                assert status == 401
                assert KEY not in str(error)
        assert bridge.legs == []


async def test_a_secret_cannot_mint_another() -> None:
    async with running(api_keys=(KEY,)) as bridge:
        secret = await bridge.mint(headers=bearer(KEY))
        status, _, error = await bridge.ask("POST", "/v1/realtime/client_secrets", headers=bearer(secret))
        assert (status, error["error"]["code"]) == (403, "secret_cannot_mint")


@pytest.mark.parametrize(
    "body", [{"session": []}, {"origin": "null"}, {"origin": 3}, {"origin": "https://a.b/path"}]
)
async def test_a_mint_that_does_not_parse_is_told_which_part(body: dict[str, object]) -> None:
    async with running() as bridge:
        status, _, error = await bridge.ask("POST", "/v1/realtime/client_secrets", json=body)
        assert (status, error["error"]["param"]) == (400, next(iter(body)))


def test_nothing_that_could_be_used_again_is_kept() -> None:
    ring = keyring(KEY)
    value = ring.mint(Grant("p")).value
    kept = repr(vars(ring)) + "".join(
        repr(key) + repr(secret) for key, secret in vars(ring)["_secrets"].items()
    )
    assert value not in kept
    assert value.removeprefix("ek_") not in kept
    assert KEY not in kept


def test_the_number_of_live_secrets_is_bounded_and_expired_ones_make_room() -> None:
    clock = [0.0]
    ring = keyring(clock=clock)
    for _ in range(MOST_SECRETS):
        ring.mint(Grant(""), ttl_s=600)
    with pytest.raises(TooManyRequests) as refused:
        ring.mint(Grant(""))
    assert refused.value.retry_after_s == 600
    clock[0] = 600.0
    ring.mint(Grant(""))


def test_a_secret_whose_call_runs_survives_its_expiry() -> None:
    clock = [0.0]
    ring = keyring(clock=clock)
    value = ring.mint(Grant(""), ttl_s=10).value
    grant = ring.identify(f"Bearer {value}")
    assert grant is not None
    assert grant.secret is not None
    ring.spend(grant)
    grant.secret.call_id = "rtc_1"
    clock[0] = 11.0
    ring.mint(Grant(""), alive=lambda call_id: call_id == "rtc_1")
    assert ring.identify(f"Bearer {value}") == grant
    clock[0] = 21.0
    ring.mint(Grant(""), alive=lambda _call_id: False)
    with pytest.raises(Unauthorized):
        ring.identify(f"Bearer {value}")


def test_a_placeholder_key_of_a_stock_client_means_nothing_on_keyless_loopback() -> None:
    assert keyring().identify("Bearer sk-anything") == Grant("")


def test_two_callers_keys_are_two_principals_and_neither_is_its_key() -> None:
    ring = keyring(KEY, "another-caller-key-of-length")
    one, two = ring.identify(f"Bearer {KEY}"), ring.identify("bearer another-caller-key-of-length")
    assert one is not None
    assert two is not None
    assert one.principal != two.principal
    assert KEY not in one.principal
