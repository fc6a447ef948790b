"""The offline text model behind `/v1/responses` and `/v1/chat/completions`.

The same wits as in a call: a model name "<scenario>/<agent>" answers by that agent's lines, any other by
the tools of the request. Structured answers are given by `classifiers`, one per schema name, or per title where
the name is not known: the Agents SDK calls every schema `final_output`. A schema that no classifier is made for is
refused, because made-up JSON would pass for a judgement.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rtbridge.engine.brain import Brain, permitted, replay
from rtbridge.engine.foreign import Foreigner
from rtbridge.engine.parts import Call, Say, TextReply
from rtbridge.engine.reading import read_messages
from rtbridge.errors import BadRequest

Classifier = Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]
NO_CLASSIFIERS: Mapping[str, Classifier] = MappingProxyType({})


class BrainText:
    """`parts.TextModel` over a Brain."""

    def __init__(
        self, brain: Brain, foreigner: Foreigner, classifiers: Mapping[str, Classifier] = NO_CLASSIFIERS
    ) -> None:
        self._brain = brain
        self._foreigner = foreigner
        self._classifiers = classifiers

    def respond(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        model: str,
        response_format: Mapping[str, Any] | None,
    ) -> TextReply:
        """Answer a chat; see `parts.TextModel.respond`. Raises BadRequest for a schema nobody can answer."""
        if response_format and response_format.get("type") == "json_schema":
            name = str(response_format.get("name") or "")
            if name not in self._classifiers:
                name = str((response_format.get("schema") or {}).get("title") or name)
            if name not in self._classifiers:
                raise BadRequest(
                    f"the offline engine has no answer in the shape {name!r}; "
                    "set RTBRIDGE_BRAIN_URL to a text model that does",
                    code="unsupported_response_format",
                    param="response_format",
                )
            return TextReply(json.dumps(self._classifiers[name](messages), ensure_ascii=False))
        events = read_messages(messages)
        scenario, agent = self._brain.find(model)
        if scenario is None:
            acts = self._foreigner.answer(events, tools, "auto")
        else:
            acts = list(replay(scenario, agent, events).acts)
        acts = permitted(acts, tools, "auto")
        text = "\n".join(act.text for act in acts if isinstance(act, Say))
        if response_format and response_format.get("type") == "json_object":
            text = json.dumps({"text": text}, ensure_ascii=False)
        return TextReply(text, tuple(act for act in acts if isinstance(act, Call)))
