"""The settings: what is read, what is refused in which words, and that .env.sample tells all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from rtbridge.addresses import is_loopback, is_origin
from rtbridge.errors import SettingsError
from rtbridge.settings import Settings, env_name, env_sample, load_settings

ROOT = Path(__file__).resolve().parent.parent
KEY = "a-caller-key-of-good-length"


def test_env_sample_lists_every_setting_with_its_default_and_a_line_of_help() -> None:
    text = (ROOT / ".env.sample").read_text()
    assert text == env_sample(), "regenerate it: make env-sample"
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert "\n" not in field.description
        assert re.search(rf"^# {re.escape(field.description)}\n{env_name(name)}=", text, re.MULTILINE), name


def test_env_sample_as_it_is_gives_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Settings.model_config, "env_file", ROOT / ".env.sample")
    assert load_settings() == Settings.model_construct(
        **{n: f.default for n, f in Settings.model_fields.items()}
    )


def test_flags_win_over_the_environment_which_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("RTBRIDGE_PORT=1\nRTBRIDGE_MAX_CALLS=1\nRTBRIDGE_MODEL=one\n")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setenv("RTBRIDGE_PORT", "2")
    monkeypatch.setenv("RTBRIDGE_MAX_CALLS", "2")
    settings = load_settings(port=3, max_calls=None)
    assert (settings.port, settings.max_calls, settings.model) == (3, 2, "one")


def test_the_openai_names_need_no_prefix_and_ours_work_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTBRIDGE_OPENAI_API_KEY", "sk-ours")
    ours = load_settings().openai_api_key
    monkeypatch.setenv("OPENAI_API_KEY", "sk-theirs")
    theirs = load_settings().openai_api_key
    assert ours is not None
    assert theirs is not None
    assert (ours.get_secret_value(), theirs.get_secret_value()) == ("sk-ours", "sk-theirs")


def test_an_empty_variable_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "RTBRIDGE_PORT", "RTBRIDGE_API_KEYS", "RTBRIDGE_SCENARIOS"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (settings.openai_api_key, settings.port, settings.api_keys, settings.scenarios) == (
        None,
        8080,
        (),
        None,
    )


def test_lists_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTBRIDGE_ALLOWED_ORIGINS", "https://a.example, http://b.example:81 ,")
    monkeypatch.setenv("RTBRIDGE_MEDIA_ADDRESSES", "10.0.0.1,::1")
    settings = load_settings()
    assert settings.allowed_origins == ("https://a.example", "http://b.example:81")
    assert settings.media_addresses == ("10.0.0.1", "::1")


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("RTBRIDGE_PORT", "eighty", "valid integer"),
        ("RTBRIDGE_PORT", "70000", "65535"),
        ("RTBRIDGE_MAX_CALLS", "0", "greater than or equal to 1"),
        ("RTBRIDGE_API_KEYS", "short", "openssl rand"),
        ("RTBRIDGE_API_KEYS", "ek_0123456789abcdef", "does not begin with ek_"),
        ("RTBRIDGE_ALLOWED_ORIGINS", "app.example", "scheme://host"),
        ("RTBRIDGE_ALLOWED_ORIGINS", "https://app.example/", "scheme://host"),
        ("RTBRIDGE_UPSTREAM", "http://x", "wss://"),
        ("RTBRIDGE_MEDIA_PORTS", "50100-50000", "like 50000-50100"),
        ("RTBRIDGE_MEDIA_PORTS", "80-90", "1024-65535"),
        ("RTBRIDGE_MEDIA_PORTS", "all", "like 50000-50100"),
        ("RTBRIDGE_MEDIA_ADDRESSES", "eth0", "IPv4 or IPv6"),
        ("RTBRIDGE_ADVERTISED_ADDRESS", "bridge.example", "IPv4 or IPv6"),
        ("RTBRIDGE_LOG_FORMAT", "xml", "'pretty' or 'json'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).startswith(f"{name}: ")
    assert hint in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_every_wrong_setting_gets_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTBRIDGE_PORT", "x")
    monkeypatch.setenv("RTBRIDGE_API_KEYS", "canary")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert len(str(refused.value).splitlines()) == 2
    assert "canary" not in str(refused.value)


def test_openai_without_a_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        load_settings(upstream="openai")
    assert load_settings(upstream="openai", openai_api_key="sk-x").upstream == "openai"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "bridge.example", ""])
def test_strangers_get_no_bridge_without_keys(host: str) -> None:
    with pytest.raises(SettingsError, match="RTBRIDGE_API_KEYS"):
        Settings(host=host).refuse_open_doors()
    load_settings(host=host, api_keys=KEY).refuse_open_doors()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert is_loopback(host)
    Settings(host=host).refuse_open_doors()


def test_a_port_range_is_two_numbers() -> None:
    assert Settings(media_ports="50000-50100").media_port_range == (50000, 50100)
    assert Settings().media_port_range is None


def test_settings_are_frozen_and_show_no_secret() -> None:
    settings = load_settings(
        api_keys=KEY, openai_api_key="sk-canary", turn_secret="turn-canary", brain_api_key="b-canary"
    )
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1
    assert "canary" not in repr(settings)
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    "text", ["null", "", "https://", "https://a/b", "HTTPS://a", "ftp://a", "https://a:b", "//a"]
)
def test_what_is_not_an_origin(text: str) -> None:
    assert not is_origin(text)


@pytest.mark.parametrize("text", ["https://a", "http://a.b:1", "http://[::1]:8080"])
def test_what_is_an_origin(text: str) -> None:
    assert is_origin(text)


def test_a_text_endpoint_without_a_model_is_refused_with_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTBRIDGE_BRAIN_URL", "http://127.0.0.1:11434/v1")
    with pytest.raises(SettingsError, match="set RTBRIDGE_BRAIN_MODEL"):
        load_settings()
    monkeypatch.setenv("RTBRIDGE_BRAIN_MODEL", "small")
    assert load_settings().brain_model == "small"
