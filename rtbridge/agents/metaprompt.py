"""`rtbridge scenarios prompt`: the guide that turns a short description into a whole voice-agent prompt.

The guide is metaprompt.md. Without a key it is printed, description and all, to be pasted into any chat; with one a
text model answers it: with its questions, or with the prompt once the description leaves nothing open.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rtbridge.errors import UpstreamError
from rtbridge.settings import Settings

GUIDE: Final = Path(__file__).with_name("metaprompt.md")
TIMEOUT_S: Final = 120.0
NOTHING_YET: Final = "(Write here in a few sentences whom the agent works for, what it does, and for whom.)"


def metaprompt(description: str = "") -> str:
    """Return the guide with `description` at its end."""
    return f"{GUIDE.read_text('utf-8')}{description.strip() or NOTHING_YET}\n"


def answered(description: str, settings: Settings) -> str:
    """Return what the text model answers to the guide. Blocking, up to 120 s. Raises UpstreamError."""
    from openai import OpenAI, OpenAIError  # takes a second to import

    assert settings.openai_api_key is not None
    client = OpenAI(
        api_key=settings.openai_api_key.get_secret_value(),
        base_url=settings.openai_base_url,
        timeout=TIMEOUT_S,
        max_retries=1,
    )
    try:
        with client:
            response = client.responses.create(
                model=settings.supervisor_model, input=metaprompt(description), store=False
            )
    except OpenAIError as error:
        raise UpstreamError(f"{settings.supervisor_model} did not answer: {error}") from None
    return response.output_text
