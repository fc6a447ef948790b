"""Which WebSocket is dialled, as the settings or a URL say it."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from rtbridge.errors import SettingsError
from rtbridge.settings import Settings
from rtbridge.upstream.dial import dial_openai, dial_url
from rtbridge.upstream.port import Capabilities
from rtbridge.upstream.websocket import WebSocketUpstream

KEY = "sk-canary-0123456789"


def test_it_is_made_without_a_loop_and_knows_what_it_can_do() -> None:
    engine = Capabilities(is_engine=True, word_times=True)
    upstream = dial_url("ws://127.0.0.1:8765/v1/realtime?model=mine", model="other", capabilities=engine)
    assert upstream.capabilities == engine
    assert upstream.url == "ws://127.0.0.1:8765/v1/realtime?model=mine"
    assert WebSocketUpstream("ws://127.0.0.1/", headers={}).capabilities == Capabilities()


def test_openai_is_dialled_by_the_settings() -> None:
    settings = Settings(
        openai_api_key=SecretStr(KEY), openai_base_url="http://127.0.0.1:9/proxy/v1/", model="gpt-realtime-2"
    )
    assert dial_openai(settings).url == "ws://127.0.0.1:9/proxy/v1/realtime?model=gpt-realtime-2"
    assert dial_openai(Settings()).url == "wss://api.openai.com/v1/realtime?model=gpt-realtime"


def test_a_key_and_a_user_in_the_url_are_refused_together() -> None:
    with pytest.raises(SettingsError, match=r"^ws://127\.0\.0\.1/: give either a key or a user"):
        dial_url("ws://me:secret@127.0.0.1/", api_key=KEY)
