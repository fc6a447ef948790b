"""Signalling over real HTTP on loopback: the OpenAI contract, WHIP's codes, and nothing left behind by a refusal."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI

from rtbridge.server.calls import Calls
from server_rig import OFFER, SDP, FakeLeg, running

KEY = "a-caller-key-of-good-length"
OTHER_KEY = "another-caller-key-of-length"
SDPFRAG = {"Content-Type": "application/trickle-ice-sdpfrag"}
FRAGMENT = "a=ice-ufrag:x\r\na=candidate:1 1 UDP 1 127.0.0.1 5000 typ host\r\n"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_bare_offer_gets_201_with_the_answer_and_a_location() -> None:
    async with running() as bridge:
        status, headers, body = await bridge.call(query="?scenario=simple_handoff&agent=haikuWriter")
        assert status == 201
        assert headers["Content-Type"] == "application/sdp"
        assert headers["Location"] == "/v1/realtime/calls/rtc_1"
        assert headers["ETag"].startswith('"')
        assert body.startswith("v=0")
        assert bridge.legs[0].offers == [OFFER]
        assert bridge.board.asked == [("simple_handoff", "haikuWriter", "")]


async def test_without_a_scenario_simple_handoff_answers() -> None:
    async with running() as bridge:
        await bridge.call()
        assert bridge.board.asked == [("simple_handoff", None, "")]


async def test_without_simple_handoff_the_first_scenario_answers() -> None:
    async with running() as bridge:
        bridge.board.scenarios = {"other": bridge.board.scenarios["other"]}
        await bridge.call()
        assert bridge.board.asked == [("other", None, "")]


async def test_the_path_of_old_clients_works_too() -> None:
    async with running() as bridge:
        status, _, _ = await bridge.ask("POST", "/v1/realtime?model=gpt-realtime", data=OFFER, headers=SDP)
        assert status == 201


async def test_a_form_of_a_browser_carries_offer_and_session() -> None:
    async with running() as bridge:
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("sdp", OFFER)
        form.add_field("session", json.dumps({"type": "realtime"}))
        status, _, _ = await bridge.ask("POST", "/v1/realtime/calls", data=form)
        assert status == 201
        assert bridge.legs[0].offers == [OFFER]
        assert bridge.board.wishes == [{"type": "realtime"}]


def with_turn_detection(value: Any) -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": value}}}


async def test_the_session_of_a_secret_wins_over_the_one_that_its_bearer_sends_along() -> None:
    async with running() as bridge:
        minted = with_turn_detection(None)
        status, _, secret = await bridge.ask(
            "POST", "/v1/realtime/client_secrets", json={"session": minted | {"instructions": "Be brief."}}
        )
        assert status == 200
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("sdp", OFFER)
        form.add_field("session", json.dumps(with_turn_detection({"type": "server_vad"}) | {"model": "x"}))
        status, _, _ = await bridge.ask(
            "POST", "/v1/realtime/calls", data=form, headers=bearer(secret["value"])
        )
        assert status == 201
        assert bridge.board.wishes == [minted | {"instructions": "Be brief.", "model": "x"}]


async def test_a_session_that_cannot_be_is_refused_when_it_is_sent_and_when_it_is_minted() -> None:
    async with running() as bridge:
        broken = with_turn_detection({"type": "server_vad", "threshold": 7})
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("sdp", OFFER)
        form.add_field("session", json.dumps(broken))
        for answer in (
            await bridge.ask("POST", "/v1/realtime/calls", data=form),
            await bridge.ask("POST", "/v1/realtime/client_secrets", json={"session": broken}),
        ):
            status, _, got = answer
            assert status == 400
            assert got["error"]["param"] == "session.audio.input.turn_detection.threshold"
            assert "from 0 to 1" in got["error"]["message"]
        long = {"instructions": "x" * 70_000}
        status, _, got = await bridge.ask("POST", "/v1/realtime/client_secrets", json={"session": long})
        assert (status, got["error"]["code"]) == (413, "session_too_large")
        assert bridge.legs == []


async def test_the_openai_python_client_opens_a_call() -> None:
    async with running() as bridge, AsyncOpenAI(base_url=f"{bridge.origin}/v1", api_key="any") as client:
        got = await client.realtime.calls.create(
            sdp=OFFER, session={"type": "realtime", "model": "gpt-realtime"}
        )
        assert bridge.legs[0].offers == [OFFER]
        assert got.response.headers["Location"] == "/v1/realtime/calls/rtc_1"
        assert got.content.startswith(b"v=0")
        await client.realtime.calls.hangup("rtc_1")
        assert bridge.board.live == 0


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("text/plain", b"v=0", 415, "unsupported_content_type"),
        ("application/sdp", b"\xff\xfe", 400, "invalid_encoding"),
        ("application/sdp", b"hello", 400, "invalid_sdp"),
        ("multipart/form-data", b"", 400, "invalid_multipart"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--", 400, "invalid_multipart"),
        ("multipart/form-data; boundary=b", b"--b--", 400, "missing_required_parameter"),
        ("multipart/form-data; boundary=b", b"no end", 400, "invalid_multipart"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="sdp"\r\n\r\nv=0\r\n'
            b'--b\r\nContent-Disposition: form-data; name="session"\r\n\r\n' + b"[" * 100_000 + b"\r\n--b--",
            400,
            "invalid_json",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="sdp"\r\n\r\nv=0\r\n'
            b'--b\r\nContent-Disposition: form-data; name="session"\r\n\r\n[]\r\n--b--',
            400,
            "invalid_type",
        ),
    ],
)
async def test_a_body_that_is_no_offer_is_told_so(
    content_type: str, body: bytes, status: int, code: str
) -> None:
    async with running() as bridge:
        got, _, error = await bridge.ask(
            "POST", "/v1/realtime/calls", data=body, headers={"Content-Type": content_type}
        )
        assert (got, error["error"]["code"]) == (status, code)
        assert error["error"]["type"] == "invalid_request_error"
        assert error["error"]["message"]
        assert "param" in error["error"]
        assert all(leg.closed == 1 for leg in bridge.legs)
        assert bridge.board.places == []


async def test_an_unknown_scenario_is_refused_before_any_media_work() -> None:
    async with running() as bridge:
        status, _, error = await bridge.call(query="?scenario=nowhere")
        assert (status, error["error"]["param"]) == (404, "scenario")
        assert bridge.legs == []


async def test_a_full_bridge_says_when_to_try_again() -> None:
    async with running() as bridge:
        bridge.board.most = 1
        await bridge.call()
        status, headers, error = await bridge.call()
        assert (status, headers["Retry-After"], error["error"]["code"]) == (503, "3", "full")


async def test_a_draining_bridge_refuses_offers_at_once_and_is_not_ready() -> None:
    async with running() as bridge:
        assert (await bridge.ask("GET", "/readyz"))[0] == 200
        bridge.bridge.calls.draining = True
        status, headers, error = await bridge.call()
        assert (status, headers["Retry-After"], error["error"]["code"]) == (503, "5", "draining")
        assert (await bridge.ask("GET", "/readyz"))[0] == 503
        assert (await bridge.ask("GET", "/livez"))[0] == 200


async def test_delete_ends_a_call_once() -> None:
    async with running() as bridge:
        _, headers, _ = await bridge.call()
        assert (await bridge.ask("DELETE", headers["Location"]))[0] == 200
        assert bridge.board.ended == [("rtc_1", "caller_hangup")]
        status, _, error = await bridge.ask("DELETE", headers["Location"])
        assert (status, error["error"]["code"]) == (404, "call_not_found")


async def test_hangup_ends_a_call_with_200() -> None:
    async with running() as bridge:
        _, headers, _ = await bridge.call()
        assert (await bridge.ask("POST", headers["Location"] + "/hangup"))[0] == 200
        assert bridge.board.live == 0


async def test_a_call_that_ended_by_itself_is_not_found_any_more() -> None:
    async with running() as bridge:
        _, headers, _ = await bridge.call()
        bridge.board.legs.clear()
        assert (await bridge.ask("DELETE", headers["Location"]))[0] == 404
        await bridge.call()
        assert list(vars(bridge.bridge.calls)["_calls"]) == ["rtc_2"]


async def test_a_call_of_another_key_is_unknown_rather_than_forbidden() -> None:
    async with running(api_keys=(KEY, OTHER_KEY)) as bridge:
        _, headers, _ = await bridge.call(headers=bearer(KEY))
        foreign = await bridge.ask("DELETE", headers["Location"], headers=bearer(OTHER_KEY))
        unknown = await bridge.ask("DELETE", "/v1/realtime/calls/rtc_none", headers=bearer(OTHER_KEY))
        assert foreign[0] == 404
        assert (foreign[0], foreign[2]) == (unknown[0], unknown[2])
        assert (await bridge.ask("DELETE", headers["Location"], headers=bearer(KEY)))[0] == 200


async def test_candidates_trickle_with_the_etag_of_the_answer() -> None:
    async with running() as bridge:
        _, headers, _ = await bridge.call()
        status, _, _ = await bridge.ask(
            "PATCH", headers["Location"], data=FRAGMENT, headers={**SDPFRAG, "If-Match": headers["ETag"]}
        )
        assert status == 204
        assert bridge.legs[0].fragments == [FRAGMENT]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/sdp", "If-Match": "right"}, FRAGMENT, 415),
        (SDPFRAG, FRAGMENT, 428),
        ({**SDPFRAG, "If-Match": '"another"'}, FRAGMENT, 412),
        ({**SDPFRAG, "If-Match": "*"}, FRAGMENT, 422),
        ({**SDPFRAG, "If-Match": "right"}, "nothing", 400),
    ],
)
async def test_a_patch_that_cannot_be_done_gets_the_code_of_rfc_9725(
    headers: dict[str, str], body: str, status: int
) -> None:
    async with running() as bridge:
        _, answered, _ = await bridge.call()
        headers = {k: answered["ETag"] if v == "right" else v for k, v in headers.items()}
        got, _, error = await bridge.ask("PATCH", answered["Location"], data=body, headers=headers)
        assert got == status
        assert error["error"]["message"]
        assert bridge.legs[0].fragments == []
        assert bridge.board.live == 1


async def test_a_patch_of_an_ended_call_is_not_found() -> None:
    async with running() as bridge:
        _, answered, _ = await bridge.call()
        await bridge.ask("DELETE", answered["Location"])
        headers = {**SDPFRAG, "If-Match": answered["ETag"]}
        assert (await bridge.ask("PATCH", answered["Location"], data=FRAGMENT, headers=headers))[0] == 404


async def test_the_same_idempotency_key_gets_the_same_answer_and_one_call() -> None:
    async with running() as bridge:
        first = await bridge.call(headers={"Idempotency-Key": "once"})
        second = await bridge.call(headers={"Idempotency-Key": "once"})
        assert first[0] == second[0] == 201
        assert first[2] == second[2]
        assert first[1]["Location"] == second[1]["Location"]
        assert second[1]["Idempotency-Replayed"] == "true"
        assert len(bridge.legs) == 1


async def test_a_repetition_waits_for_the_answer_in_work() -> None:
    async with running() as bridge:
        held = asyncio.Event()
        leg = FakeLeg()
        leg.hold = held
        vars(bridge.bridge.calls)["_make_leg"] = lambda: leg
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(bridge.call(headers={"Idempotency-Key": "k"})) for _ in range(3)]
            await leg.asked.wait()
            held.set()
        assert {task.result()[1]["Location"] for task in tasks} == {"/v1/realtime/calls/rtc_1"}
        assert len(leg.offers) == 1


async def test_an_idempotency_key_for_another_offer_is_refused() -> None:
    async with running() as bridge:
        await bridge.call(headers={"Idempotency-Key": "k"})
        status, _, error = await bridge.call(headers={"Idempotency-Key": "k"}, offer=OFFER + "a=x\r\n")
        assert (status, error["error"]["code"]) == (422, "idempotency_key_reused")


async def test_a_failure_is_not_remembered_under_its_idempotency_key() -> None:
    async with running() as bridge:
        for _ in range(2):
            status, _, _ = await bridge.call(headers={"Idempotency-Key": "k"}, offer="hello")
            assert status == 400
        assert len(bridge.legs) == 2


async def test_an_idempotency_key_without_end_is_refused() -> None:
    async with running() as bridge:
        status, _, error = await bridge.call(headers={"Idempotency-Key": "k" * 256})
        assert (status, error["error"]["code"]) == (400, "invalid_idempotency_key")


async def test_an_answer_that_never_comes_gives_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtbridge.server.calls.ANSWER_TIMEOUT_S", 0.01)
    async with running() as bridge:
        leg = FakeLeg()
        leg.hold = asyncio.Event()
        vars(bridge.bridge.calls)["_make_leg"] = lambda: leg
        status, _, error = await bridge.call()
        assert (status, error["error"]["code"]) == (503, "timeout")
        assert leg.closed == 1
        assert bridge.board.places == []


async def test_offers_over_the_rate_of_an_address_get_429_and_a_time() -> None:
    async with running(offers_per_s_per_address=2) as bridge:
        statuses = [(await bridge.call())[0] for _ in range(2)]
        status, headers, error = await bridge.call()
        assert statuses == [201, 201]
        assert (status, headers["Retry-After"], error["error"]["type"]) == (429, "1", "rate_limit_error")
        bridge.now_s[0] += 0.5
        assert (await bridge.call())[0] == 201


async def test_offers_over_the_rate_of_a_key_leave_other_keys_alone() -> None:
    async with running(offers_per_s=1, api_keys=(KEY, OTHER_KEY)) as bridge:
        assert (await bridge.call(headers=bearer(KEY)))[0] == 201
        assert (await bridge.call(headers=bearer(KEY)))[0] == 429
        assert (await bridge.call(headers=bearer(OTHER_KEY)))[0] == 201


async def test_hanging_up_all_ends_every_call() -> None:
    async with running() as bridge:
        await bridge.call()
        await bridge.call()
        calls: Calls = bridge.bridge.calls
        calls.hangup_all("server_stopping")
        assert bridge.board.ended == [("rtc_1", "server_stopping"), ("rtc_2", "server_stopping")]


async def test_a_refused_start_closes_the_leg_and_gives_the_place_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as bridge:

        def refuse(*_: Any) -> str:
            raise RuntimeError("no")

        monkeypatch.setattr(bridge.board, "open", refuse)
        status, _, error = await bridge.call()
        assert (status, error["error"]["code"]) == (500, "internal_error")
        assert bridge.legs[0].closed == 1
        assert bridge.board.places == []
