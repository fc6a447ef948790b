"""Where upstreams go: the OpenAI API of the settings, or any compatible URL. Only URL and headers differ."""

from __future__ import annotations

from yarl import URL

from rtbridge.errors import SettingsError
from rtbridge.settings import Settings
from rtbridge.upstream.port import Capabilities
from rtbridge.upstream.websocket import WebSocketUpstream, redacted


def dial_url(
    url: str,
    *,
    model: str = "",
    api_key: str = "",
    safety_identifier: str = "",
    capabilities: Capabilities | None = None,
) -> WebSocketUpstream:
    """Return an upstream for a ws:// or wss:// URL; `model` is added to its query unless it names one itself.

    `safety_identifier` goes out as `OpenAI-Safety-Identifier`: a hash of the user, never the user.
    Raises SettingsError when both `api_key` and the URL's user would go into the Authorization header.
    """
    target = URL(url)
    if api_key and target.user:
        raise SettingsError(
            f"{redacted(url)}: give either a key or a user in the URL; both want the same header"
        )
    if model and "model" not in target.query:
        target = target.update_query(model=model)
    headers = {}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    if safety_identifier:
        headers["OpenAI-Safety-Identifier"] = safety_identifier
    return WebSocketUpstream(str(target), headers=headers, capabilities=capabilities)


def dial_openai(settings: Settings, *, safety_identifier: str = "") -> WebSocketUpstream:
    """Return an upstream for the OpenAI API of `settings`: base URL, model and key."""
    base = URL(settings.openai_base_url.rstrip("/"))
    scheme = {"http": "ws", "https": "wss"}.get(base.scheme, base.scheme)
    key = settings.openai_api_key
    return dial_url(
        str(base.with_scheme(scheme) / "realtime"),
        model=settings.model,
        api_key=key.get_secret_value() if key is not None else "",
        safety_identifier=safety_identifier,
    )
