"""Every setting, read once in `__main__` and passed on frozen. The only reader of the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """`RTBRIDGE_<NAME>` in the environment or in `.env`; the flags of `rtbridge serve` win over both."""

    model_config = SettingsConfigDict(
        env_prefix="RTBRIDGE_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    # server
    host: str = Field("127.0.0.1", description="Address of the HTTP server; anything but loopback needs api_keys.")
    port: int = Field(8080, ge=0, le=65535, description="Port of the HTTP server; 0 picks a free one.")
    scenarios: Path | None = Field(None, description="Folder of scenario folders; the shipped ones when empty.")
    api_keys: Names = Field((), description="Caller keys, comma separated; calls then need one or an ek_ secret.")
    allowed_origins: Names = Field((), description="Origins, comma separated, that may call from another site.")
    allowed_hosts: Names = Field((), description="Host names, comma separated, accepted in the Host header.")
    max_calls: int = Field(32, ge=1, description="Live calls in this process; more get 503.")
    max_calls_per_principal: int = Field(0, ge=0, description="Live calls a caller key may have; 0 is no limit.")
    max_call_s: float = Field(1800.0, gt=0, description="Longest call in seconds.")
    offers_per_s: float = Field(0.0, ge=0, description="Offers a second a caller key; 0 is no limit.")
    offers_per_s_per_address: float = Field(0.0, ge=0, description="Offers a second an IP address; 0 is no limit.")

    # upstream
    upstream: str = Field(
        "auto", description="auto (OpenAI with a key, else the engine), openai, engine, or a ws:// or wss:// URL."
    )
    openai_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("OPENAI_API_KEY", "RTBRIDGE_OPENAI_API_KEY", "openai_api_key"),
        description="Key for the OpenAI API (OPENAI_API_KEY without prefix); without it the engine answers.",
    )
    openai_base_url: str = Field(
        "https://api.openai.com/v1",
        validation_alias=AliasChoices("OPENAI_BASE_URL", "RTBRIDGE_OPENAI_BASE_URL", "openai_base_url"),
        description="Base URL of the OpenAI API (OPENAI_BASE_URL without prefix).",
    )
    model: str = Field("gpt-realtime", description="Realtime model asked for upstream.")
    tracing: bool = Field(False, description="Ask the provider to trace sessions, and let the Agents SDK trace.")

    # media
    media_addresses: Names = Field(
        (), description="Local addresses, comma separated, to bind media to; loopback HTTP binds loopback media."
    )
    advertised_address: str = Field("", description="Address put into answers instead of the bound ones (NAT 1:1).")
    media_ports: str = Field("", description="UDP port range for media, like 50000-50100; any port when empty.")
    connect_timeout_s: float = Field(15.0, gt=0, description="Seconds from answer to media and data channel.")
    suspend_after_s: float = Field(3.0, gt=0, description="Seconds without RTP and RTCP until a leg is suspended.")
    hold_s: float = Field(120.0, gt=0, description="Seconds that a suspended call waits for its caller.")
    turn_url: str = Field("", description="TURN server handed to browsers, like turn:turn.example.org:3478.")
    turn_secret: SecretStr | None = Field(None, description="Shared secret for short-lived TURN credentials.")

    # agents
    tool_timeout_s: float = Field(8.0, gt=0, description="Seconds a tool may take unless it says otherwise.")

    # engine
    engine_port: int = Field(8765, ge=0, le=65535, description="Port of `rtbridge engine`; 0 picks a free one.")
    model_dir: Path | None = Field(None, description="Folder that overrides the engine's packaged model files.")
    brain_url: str = Field("", description="OpenAI-compatible base URL that thinks for the engine, if any.")
    brain_model: str = Field("", description="Model name for brain_url.")
    brain_api_key: SecretStr | None = Field(None, description="Key for brain_url.")

    # log
    log_format: Literal["auto", "pretty", "json"] = Field("auto", description="auto is pretty on a terminal.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
