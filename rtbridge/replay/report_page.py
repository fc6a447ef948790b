"""`report.html`: one story as one file that opens from disk, and `index.html`: a line a story.

The files in `page/` are put together here: styles, script, data and sound go into the page itself, and a policy in its
head lets it run that one script, by its hash, and ask nothing of anybody. Words of stories and transcripts are
data: JSON in which no `<` is left, shown by `textContent` alone (the policy forbids strings as HTML where a browser
knows Trusted Types).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any, Final

from rtbridge.replay.report import Report
from rtbridge.replay.report_data import page_data
from rtbridge.replay.report_sound import MEDIA_TYPE, mp3_of

PAGE: Final = Path(__file__).parent / "page"
# Each uses only what stands before it; they become one script.
SCRIPTS: Final = (
    "time.js",
    "wave.js",
    "layout.js",
    "waterfall.js",
    "follow.js",
    "make.js",
    "top-view.js",
    "lanes-view.js",
    "waterfall-view.js",
    "transcript-view.js",
    "events-view.js",
    "player.js",
    "main.js",
)
_IMPORT = re.compile(r"^import \{[^}]*\} from \"\./[\w-]+\.js\";\n", re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?function |const |class )", re.M)
_MARK = re.compile(r"@@(\w+)@@")


def write_page(report: Report, file: Path) -> None:
    """Write the page of one story to `file`, whose folder is there. Raises OSError."""
    file.write_text(page_of(report), encoding="utf-8")


def page_of(report: Report) -> str:
    """Return the page of one story, sound and all."""
    script, style = bundle(), (PAGE / "report.css").read_text(encoding="utf-8")
    filled = {
        "title": html.escape(f"{'Passed' if report.verdict.passed else 'Failed'}: {report.name}"),
        "policy": policy(style=style, script=script),
        "style": style,
        "data": json_block(page_data(report)),
        "type": MEDIA_TYPE,
        "sound": base64.b64encode(mp3_of(report.result.said, report.result.heard)).decode(),
        "script": script,
    }
    template = (PAGE / "report.html").read_text(encoding="utf-8")
    return _MARK.sub(lambda mark: filled[mark[1]], template)


def json_block(value: Any) -> str:
    """Return JSON that may stand in a <script>: whatever is in it, it neither ends the element nor opens a comment."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def policy(*, style: str, script: str | None = None) -> str:
    """Return the Content-Security-Policy of a page with this style and this script, or with none."""
    rules = [
        "default-src 'none'",
        f"style-src {_source(style)}",
        f"script-src {_source(script) if script is not None else chr(39) + 'none' + chr(39)}",
        "media-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
    ]
    return "; ".join(rules)


@functools.cache
def bundle() -> str:
    """Return the script of the page: the modules of `page/` in one, without their imports and exports."""
    texts = [(PAGE / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)


def _source(text: str) -> str:
    """Return the policy's name of an inline text (CSP 3, section 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
