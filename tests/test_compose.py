"""docker-compose.yml as data, held against the settings and the server; no engine is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rtbridge.server.turn import CREDENTIAL_TTL_S
from rtbridge.settings import Settings, env_name, load_settings

ROOT = Path(__file__).resolve().parent.parent
KEY = "a-caller-key-of-good-length"
GIVEN = {"RTBRIDGE_API_KEYS": KEY, "RTBRIDGE_ADVERTISED_ADDRESS": "198.51.100.7"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def filled(text: str, given: dict[str, str]) -> str:
    """Do what compose does with ${NAME:-default} and ${NAME:?message}."""

    def one(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if given.get(name):
            return given[name]
        assert kind == "-", f"{name} is required"
        return rest

    return re.sub(r"\$\{(\w+):([-?])([^}]*)\}", one, text)


def bridge_settings(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> Settings:
    for name, value in compose["services"]["bridge"]["environment"].items():
        monkeypatch.setenv(name, filled(value, given))
    return load_settings()


def test_every_variable_of_the_bridge_is_a_setting(compose: dict[str, Any]) -> None:
    known = {env_name(field) for field in Settings.model_fields}
    assert set(compose["services"]["bridge"]["environment"]) <= known


def test_the_bridge_starts_with_the_two_variables_it_asks_for(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = bridge_settings(compose, monkeypatch, GIVEN)
    settings.refuse_open_doors()
    assert settings.host == "0.0.0.0"
    assert settings.api_keys[0].get_secret_value() == KEY
    assert settings.media_port_range == (50000, 50100)
    assert settings.advertised_address == "198.51.100.7"


@pytest.mark.parametrize("name", list(GIVEN))
def test_without_one_of_them_compose_refuses(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with pytest.raises(AssertionError, match=f"{name} is required"):
        bridge_settings(compose, monkeypatch, {**GIVEN, name: ""})


def test_the_published_ports_are_those_of_the_settings(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for media in ("", "40000-40031"):
        given = {**GIVEN, "RTBRIDGE_MEDIA_PORTS": media}
        settings = bridge_settings(compose, monkeypatch, given)
        published = [filled(port, given) for port in compose["services"]["bridge"]["ports"]]
        assert published == [
            f"{settings.port}:{settings.port}",
            f"{settings.media_ports}:{settings.media_ports}/udp",
        ]


def test_there_is_a_media_port_for_every_call(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = bridge_settings(compose, monkeypatch, GIVEN)
    assert settings.media_port_range is not None
    first, last = settings.media_port_range
    assert last - first + 1 >= settings.max_calls


def test_limits_that_loopback_leaves_off_are_on(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = bridge_settings(compose, monkeypatch, GIVEN)
    assert settings.max_calls_per_principal == 3
    assert (settings.offers_per_s, settings.offers_per_s_per_address) == (5, 20)


def test_the_image_is_built_from_the_official_slim_python_and_runs_as_nobody_special(
    compose: dict[str, Any],
) -> None:
    bridge = compose["services"]["bridge"]
    lines = bridge["build"]["dockerfile_inline"].splitlines()
    assert lines[0] == "FROM python:3.11-slim"
    assert any("--require-hashes -r requirements.lock" in line for line in lines)
    assert lines.index("USER rtbridge") > max(
        i for i, line in enumerate(lines) if line.startswith(("RUN", "COPY"))
    )
    assert lines[-1] == 'CMD ["rtbridge", "serve"]'
    for line in lines:
        if line.startswith("COPY"):
            *sources, _target = line.split()[1:]
            assert all((ROOT / source).exists() for source in sources), line
    assert bridge["cap_drop"] == ["ALL"]
    assert bridge["read_only"] is True
    assert bridge["security_opt"] == ["no-new-privileges:true"]


def test_health_is_asked_of_livez_on_the_servers_port(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = bridge_settings(compose, monkeypatch, GIVEN)
    assert (
        f"http://127.0.0.1:{settings.port}/livez" in compose["services"]["bridge"]["healthcheck"]["test"][-1]
    )


def test_a_stop_waits_as_long_as_the_longest_call(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = int(compose["services"]["bridge"]["stop_grace_period"].removesuffix("m"))
    assert minutes * 60 >= bridge_settings(compose, monkeypatch, GIVEN).max_call_s


def test_turn_is_there_only_when_asked_for_and_shares_its_secret_with_the_bridge(
    compose: dict[str, Any],
) -> None:
    turn, bridge = compose["services"]["turn"], compose["services"]["bridge"]
    assert turn["profiles"] == ["turn"]
    assert "profiles" not in bridge
    assert turn["environment"]["RTBRIDGE_TURN_SECRET"] == bridge["environment"]["RTBRIDGE_TURN_SECRET"]
    (script,) = turn["command"]
    assert "use-auth-secret" in script
    assert "static-auth-secret=$$RTBRIDGE_TURN_SECRET" in script
    assert 'test -n "$$RTBRIDGE_TURN_SECRET"' in script
    assert CREDENTIAL_TTL_S <= 300


@pytest.mark.parametrize(
    "network",
    [
        "10.0.0.0",
        "127.0.0.0",
        "169.254.0.0",
        "172.16.0.0",
        "192.168.0.0",
        "100.64.0.0",
        "0.0.0.0",
        "::1",
        "fc00::",
        "fe80::",
    ],
)
def test_turn_relays_to_no_private_network(compose: dict[str, Any], network: str) -> None:
    assert f"denied-peer-ip={network}" in compose["services"]["turn"]["command"][0]


def test_turn_publishes_the_ports_it_relays_from(compose: dict[str, Any]) -> None:
    turn = compose["services"]["turn"]
    first, last = (re.search(rf"{which}-port=(\d+)", turn["command"][0]) for which in ("min", "max"))
    assert first
    assert last
    assert f"{first[1]}-{last[1]}:{first[1]}-{last[1]}/udp" in turn["ports"]
