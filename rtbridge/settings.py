"""Every setting, read once in `__main__` and passed on frozen. The only reader of the environment.

Whether a value is well formed is decided here, and so is what may not be combined: a bridge that strangers can
reach has keys for its callers. `.env.sample` is this file read aloud (`env_sample`), and a test keeps it so.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rtbridge.addresses import is_loopback, is_origin, parse_ports
from rtbridge.errors import SettingsError

Names = Annotated[tuple[str, ...], NoDecode]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode]

_UPSTREAMS = ("auto", "openai", "engine")
_LEAST_KEY_CHARS = 16


class Settings(BaseSettings):
    """`RTBRIDGE_<NAME>` in the environment or in `.env`; the flags of `rtbridge serve` win over both."""

    model_config = SettingsConfigDict(
        env_prefix="RTBRIDGE_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    # server
    host: str = Field(
        default="127.0.0.1", description="Address of the HTTP server; anything but loopback needs api_keys."
    )
    port: int = Field(
        default=8080, ge=0, le=65535, description="Port of the HTTP server; 0 picks a free one."
    )
    scenarios: Path | None = Field(
        default=None, description="Folder of scenario folders; the shipped ones when empty."
    )
    api_keys: Secrets = Field(
        default=(), description="Caller keys, comma separated; calls then need one or an ek_ secret."
    )
    allowed_origins: Names = Field(
        default=(), description="Origins, comma separated, that may call from another site."
    )
    allowed_hosts: Names = Field(
        default=(), description="Host names, comma separated, accepted in the Host header."
    )
    max_calls: int = Field(default=32, ge=1, description="Live calls in this process; more get 503.")
    max_calls_per_principal: int = Field(
        default=0, ge=0, description="Live calls a caller key may have; 0 is no limit."
    )
    max_call_s: float = Field(default=1800.0, gt=0, description="Longest call in seconds.")
    call_history: int = Field(
        default=100,
        ge=0,
        le=10_000,
        description="Ended calls whose transcripts stay in memory; 0 keeps none.",
    )
    record_dir: Path | None = Field(
        default=None, description="Folder to record every call into, announced to callers; off when empty."
    )
    offers_per_s: float = Field(default=0.0, ge=0, description="Offers a second a caller key; 0 is no limit.")
    offers_per_s_per_address: float = Field(
        default=0.0, ge=0, description="Offers a second an IP address; 0 is no limit."
    )

    # upstream
    upstream: str = Field(
        default="auto",
        description="auto (OpenAI with a key, else the engine), openai, engine, or a ws:// or wss:// URL.",
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("OPENAI_API_KEY", "RTBRIDGE_OPENAI_API_KEY", "openai_api_key"),
        description="Key for the OpenAI API (OPENAI_API_KEY without prefix); without it the engine answers.",
    )
    openai_base_url: str = Field(
        default="https://api.openai.com/v1",
        validation_alias=AliasChoices("OPENAI_BASE_URL", "RTBRIDGE_OPENAI_BASE_URL", "openai_base_url"),
        description="Base URL of the OpenAI API (OPENAI_BASE_URL without prefix).",
    )
    upstream_api_key: SecretStr | None = Field(
        default=None, description="Key for an upstream given as URL, if it wants one."
    )
    model: str = Field(default="gpt-realtime", description="Realtime model asked for upstream.")
    tracing: bool = Field(
        default=False, description="Ask the provider to trace sessions, and let the Agents SDK trace."
    )

    # media
    media_addresses: Names = Field(
        default=(),
        description="Local addresses, comma separated, to bind media to; loopback HTTP binds loopback media.",
    )
    advertised_address: str = Field(
        default="", description="Address put into answers instead of the bound ones (NAT 1:1)."
    )
    media_ports: str = Field(
        default="", description="UDP port range for media, like 50000-50100; any port when empty."
    )
    connect_timeout_s: float = Field(
        default=15.0, gt=0, description="Seconds from answer to media and data channel."
    )
    suspend_after_s: float = Field(
        default=3.0, gt=0, description="Seconds without RTP and RTCP until a leg is suspended."
    )
    hold_s: float = Field(
        default=120.0, gt=0, description="Seconds that a suspended call waits for its caller."
    )
    turn_url: str = Field(
        default="", description="TURN server handed to browsers, like turn:turn.example.org:3478."
    )
    turn_secret: SecretStr | None = Field(
        default=None, description="Shared secret for short-lived TURN credentials."
    )

    # agents
    tool_timeout_s: float = Field(
        default=8.0, gt=0, description="Seconds a tool may take unless it says otherwise."
    )
    mcp_connect_timeout_s: float = Field(
        default=5.0,
        gt=0,
        description="Seconds an MCP server of a scenario may take to start and list its tools.",
    )
    mcp_replay_timeout_s: float = Field(
        default=600.0, gt=0, description="Seconds that a replay started through `rtbridge mcp` may take."
    )
    approval: Literal["operator", "page"] = Field(
        default="operator",
        description="Who approves tool calls where the scenario names nobody: operator, or page: callers too.",
    )
    approval_timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds a tool call waits for an approval; then it is refused."
    )
    effects_path: str = Field(
        default="",
        description="SQLite file that records effects, so that a crash repeats none; empty is memory only.",
    )
    supervisor_model: str = Field(
        default="gpt-4.1", description="Text model of supervisors that name none themselves."
    )
    supervisor_timeout_s: float = Field(
        default=6.0, gt=0, description="Seconds a supervisor may think; then the agent says so and goes on."
    )
    reasoning_model: str = Field(
        default="o4-mini", description="Text model of tools whose decisions have to be right, like refunds."
    )
    reasoning_timeout_s: float = Field(
        default=20.0, gt=0, description="Seconds that such a tool may take, its model's thinking included."
    )
    moderation_model: str = Field(
        default="gpt-4o-mini", description="Text model that judges what agents and callers say."
    )
    moderation_timeout_s: float = Field(
        default=1.5, gt=0, description="Seconds a judgement may take; then what was said counts as unchecked."
    )
    moderation_open: bool = Field(
        default=False, description="Play what could not be checked, in place of a safe phrase."
    )
    moderation_first: bool = Field(
        default=False, description="Answer callers only when what they said has been judged."
    )

    # engine
    engine_port: int = Field(
        default=8765, ge=0, le=65535, description="Port of `rtbridge engine`; 0 picks a free one."
    )
    model_dir: Path | None = Field(
        default=None, description="Folder that overrides the engine's packaged model files."
    )
    brain_url: str = Field(
        default="", description="OpenAI-compatible base URL that thinks for the engine, if any."
    )
    brain_model: str = Field(default="", description="Model to ask for at brain_url; needed with it.")
    brain_api_key: SecretStr | None = Field(default=None, description="Key for brain_url.")
    moderation_words: Path | None = Field(
        default=None, description="File of more words for the engine's moderation, tried before its own."
    )

    # log
    log_format: Literal["auto", "pretty", "json"] = Field(
        default="auto", description="auto is pretty on a terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level logged."
    )

    @field_validator("api_keys", "allowed_origins", "allowed_hosts", "media_addresses", mode="before")
    @classmethod
    def _split_at_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_keys")
    @classmethod
    def _keys_are_hard_to_guess(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            text = key.get_secret_value()
            if len(text) < _LEAST_KEY_CHARS or text.startswith("ek_") or not text.isascii() or " " in text:
                raise ValueError(
                    f"a caller key is {_LEAST_KEY_CHARS} or more ASCII characters without spaces and does not "
                    "begin with ek_ (that is a client secret's); make one with: openssl rand -hex 24"
                )
        return keys

    @field_validator("allowed_origins")
    @classmethod
    def _origins_are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not is_origin(origin):
                raise ValueError(
                    f"{origin!r} is not an origin; write scheme://host[:port], like https://app.example.org"
                )
        return origins

    @field_validator("upstream")
    @classmethod
    def _upstream_is_known(cls, upstream: str) -> str:
        if upstream in _UPSTREAMS or upstream.startswith(("ws://", "wss://")):
            return upstream
        raise ValueError(f"{upstream!r} is not auto, openai, engine, or a ws:// or wss:// URL")

    @field_validator("media_addresses")
    @classmethod
    def _addresses_are_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            ipaddress.ip_address(address)
        return addresses

    @field_validator("advertised_address")
    @classmethod
    def _advertised_address_is_one(cls, address: str) -> str:
        if address:
            ipaddress.ip_address(address)
        return address

    @field_validator("media_ports")
    @classmethod
    def _ports_are_a_range(cls, ports: str) -> str:
        parse_ports(ports)
        return ports

    @model_validator(mode="after")
    def _a_key_is_there_where_one_is_needed(self) -> Self:
        if self.upstream == "openai" and self.openai_api_key is None:
            raise ValueError(
                "upstream is openai, and there is no key: set OPENAI_API_KEY, or let upstream be auto"
            )
        return self

    @model_validator(mode="after")
    def _a_text_endpoint_is_asked_for_a_model(self) -> Self:
        if self.brain_url and not self.brain_model:
            raise ValueError(
                "brain_url names a text endpoint, and no model of it is chosen: set RTBRIDGE_BRAIN_MODEL"
            )
        return self

    def keys(self) -> list[str]:
        """Return every key among the settings: what no log line may show."""
        lone = (self.openai_api_key, self.upstream_api_key, self.turn_secret, self.brain_api_key)
        return [key.get_secret_value() for key in (*self.api_keys, *lone) if key]

    @property
    def media_port_range(self) -> tuple[int, int] | None:
        """First and last UDP port for media, both included; None for any port."""
        return parse_ports(self.media_ports)

    @property
    def on_loopback(self) -> bool:
        """True when only this machine can reach the HTTP server."""
        return is_loopback(self.host)

    def refuse_open_doors(self) -> None:
        """Raise SettingsError when strangers could place calls without a key."""
        if not self.on_loopback and not self.api_keys:
            raise SettingsError(
                f"host {self.host} can be reached from other machines, and callers need no key. Set RTBRIDGE_API_KEYS "
                "(make one with: openssl rand -hex 24), or bind to 127.0.0.1."
            )


def load_settings(**given: Any) -> Settings:
    """Read the environment and `.env`; what is `given` (flags, by field name) and not None wins over both.

    Raises SettingsError with one line a wrong setting: its name, what is wrong, what to do; never its value
    where that could be a secret.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_in_words(problem) for problem in error.errors())) from None


def env_name(field: str) -> str:
    """Return the environment variable of a field: RTBRIDGE_<NAME>, or the name the field's world already uses."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices) and isinstance(alias.choices[0], str):
        return alias.choices[0]
    return f"RTBRIDGE_{field.upper()}"


def env_sample() -> str:
    """Return the text of `.env.sample`: each setting with a line of help and its default."""
    blocks = [
        "# Every setting of rtbridge with its default. Copy to .env and change what you need;\n"
        "# the environment wins over .env, the flags of `rtbridge serve` win over both. Empty means the default.\n"
    ]
    for name, field in Settings.model_fields.items():
        default = field.default
        if default is None or default == ():
            shown = ""
        elif isinstance(default, bool):
            shown = str(default).lower()
        elif isinstance(default, float):
            shown = f"{default:g}"
        else:
            shown = str(default)
        blocks.append(f"# {field.description}\n{env_name(name)}={shown}\n")
    return "\n".join(blocks)


def _in_words(problem: Any) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return str(message)
    field = str(problem["loc"][0])
    known = field in Settings.model_fields
    return f"{env_name(field) if known else field}: {message}"
