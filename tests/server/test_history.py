"""Who may read which calls over HTTP."""

from __future__ import annotations

from rtbridge.history import CallRecord
from server_rig import Running, running

KEYS = ("a-caller-key-of-32-characters-000", "another-key-of-32-characters-0001")
LIST = "/v1/realtime/calls"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def principals(bridge: Running) -> list[str]:
    for key in KEYS:
        await bridge.call(headers=bearer(key))
    return [principal for _, _, principal in bridge.board.asked]


def record(call_id: str, principal: str, ended: str | None = None) -> CallRecord:
    return CallRecord(call_id, "other", "solo", principal, 900, (("solo", "Hello."),), ended)


async def test_a_key_reads_the_calls_that_it_opened_and_no_others() -> None:
    async with running(api_keys=",".join(KEYS)) as bridge:
        first, second = await principals(bridge)
        bridge.board.records += [record("rtc_1", first), record("rtc_2", second, "caller_hangup")]
        status, _, listed = await bridge.ask("GET", LIST, headers=bearer(KEYS[0]))
        assert status == 200
        assert listed["data"] == [
            {
                "id": "rtc_1",
                "object": "realtime.call",
                "scenario": "other",
                "agent": "solo",
                "live": True,
                "ended": None,
                "duration_ms": 900,
                "messages": 1,
            }
        ]
        status, _, told = await bridge.ask("GET", f"{LIST}/rtc_1/transcript", headers=bearer(KEYS[0]))
        assert (status, told["transcript"]) == (200, [{"who": "solo", "text": "Hello."}])
        assert told["truncated"] is False
        status, _, refused = await bridge.ask("GET", f"{LIST}/rtc_2/transcript", headers=bearer(KEYS[0]))
        assert (status, refused["error"]["code"]) == (404, "call_not_found")


async def test_no_key_and_a_client_secret_read_nothing() -> None:
    async with running(api_keys=KEYS[0]) as bridge:
        secret = await bridge.mint(headers=bearer(KEYS[0]))
        for headers in ({}, bearer(secret)):
            for path in (LIST, f"{LIST}/rtc_1/transcript"):
                status, _, _ = await bridge.ask("GET", path, headers=headers)
                assert status == 401, (headers, path)


async def test_without_keys_programs_and_the_own_page_read_and_other_sites_do_not() -> None:
    there = "https://app.example.org"
    async with running(allowed_origins=there) as bridge:
        bridge.board.records.append(record("rtc_1", ""))
        for headers in ({}, {"Origin": bridge.origin}):
            status, _, listed = await bridge.ask("GET", LIST, headers=headers)
            assert (status, len(listed["data"])) == (200, 1)
        for origin in (there, "https://evil.example.org"):
            status, _, _ = await bridge.ask("GET", LIST, headers={"Origin": origin})
            assert status == 403
        secret = await bridge.mint(origin="https://evil.example.org")
        stolen = {"Origin": "https://evil.example.org", **bearer(secret)}
        assert (await bridge.ask("GET", LIST, headers=stolen))[0] == 401
