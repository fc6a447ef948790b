"""The page: the files of `web/`, served by name from a list made at the start, so that no path leads outside.

A file that is edited is served anew at once (`no-cache` makes the browser ask, the ETag makes the answer short);
a file that is added needs a restart. The Content-Security-Policy lets the page run its own files and nothing else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from rtbridge.errors import NotFound, SettingsError

CSP: Final = (
    "default-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class _File:
    changed_ns: int
    etag: str
    body: bytes


def default_root() -> Path:
    """Return the folder of the page: `web/` of the checkout, or what the wheel ships."""
    package = Path(__file__).resolve().parent.parent
    for root in (package.parent / "web", package / "shipped" / "web"):
        if (root / "index.html").is_file():
            return root
    raise SettingsError(
        f"the page's files are neither in {package.parent / 'web'} nor in {package / 'shipped' / 'web'}"
    )


class Page:
    """The static files of one folder."""

    def __init__(self, root: Path) -> None:
        root = root.resolve()
        self._paths = {
            path.relative_to(root).as_posix(): path
            for path in sorted(root.rglob("*"))
            if path.suffix in _TYPES
            and not path.name.endswith(".test.js")
            and path.is_file()
            and path.resolve().is_relative_to(root)
        }
        self._files: dict[str, _File] = {}

    def respond(self, request: web.Request, name: str) -> web.Response:
        """Return a file by its name relative to the root; "" is index.html. Raises NotFound."""
        name = name or "index.html"
        file = self._read(name)
        headers = _HEADERS | {"ETag": file.etag, "Content-Type": _TYPES[Path(name).suffix]}
        if file.etag in [
            tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")
        ]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=file.body, headers=headers)

    def _read(self, name: str) -> _File:
        path = self._paths.get(name)
        if path is None:
            raise NotFound("There is no such page.", code="not_found")
        try:
            changed_ns = path.stat().st_mtime_ns
            known = self._files.get(name)
            if known is None or known.changed_ns != changed_ns:
                body = path.read_bytes()
                known = _File(changed_ns, f'"{hashlib.sha256(body).hexdigest()[:16]}"', body)
                self._files[name] = known
        except OSError:
            raise NotFound("This page was taken away.", code="not_found") from None
        return known
