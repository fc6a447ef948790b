"""The page: its own files and nothing outside, always fresh, under a policy that runs nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from yarl import URL

from rtbridge.errors import SettingsError
from rtbridge.server import page
from server_rig import running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("outside")
    (tmp_path / "secret.html").write_text("outside")
    web = tmp_path / "web"
    (web / "sounds").mkdir(parents=True)
    (web / "index.html").write_text("<!doctype html>")
    (web / "call.js").write_text("export {}")
    (web / "call.test.js").write_text("test")
    (web / ".env").write_text("outside")
    (web / "sounds" / "a.css").write_text("b {}")
    (web / "link.html").symlink_to(tmp_path / "secret.html")
    return web


async def test_the_root_is_the_index_under_a_strict_policy(root: Path) -> None:
    async with running(root) as bridge:
        status, headers, body = await bridge.ask("GET", "/")
        assert (status, body) == (200, "<!doctype html>")
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Content-Security-Policy"].startswith("default-src 'self'; media-src 'self' blob:")
        assert headers["Cache-Control"] == "no-cache"
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_files_have_types_that_browsers_run_as_modules(root: Path) -> None:
    async with running(root) as bridge:
        assert (await bridge.ask("GET", "/call.js"))[1]["Content-Type"] == "text/javascript; charset=utf-8"
        assert (await bridge.ask("GET", "/sounds/a.css"))[1]["Content-Type"] == "text/css; charset=utf-8"
        assert (await bridge.ask("HEAD", "/call.js"))[0] == 200


async def test_an_unchanged_file_is_304_and_an_edited_one_is_new(root: Path) -> None:
    async with running(root) as bridge:
        _, headers, _ = await bridge.ask("GET", "/call.js")
        tag = headers["ETag"]
        for known in (tag, f'"x", W/{tag}'):
            status, _, body = await bridge.ask("GET", "/call.js", headers={"If-None-Match": known})
            assert (status, body) == (304, "")
        (root / "call.js").write_text("export { changed }")
        status, headers, body = await bridge.ask("GET", "/call.js", headers={"If-None-Match": tag})
        assert (status, body) == (200, "export { changed }")
        assert headers["ETag"] != tag


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.html",
        "/..%2fsecret.html",
        "/%2e%2e/secret.html",
        "/sounds/../../secret.html",
        "/sounds%2f..%2f..%2fsecret.html",
        "//etc/passwd",
        "/.env",
        "/link.html",
        "/call.test.js",
        "/sounds",
        "/sounds/",
        "/index.html%00",
        "/\\..\\secret.html",
    ],
)
async def test_no_path_leads_outside_the_page(root: Path, path: str) -> None:
    async with running(root) as bridge:
        url = URL(bridge.origin + path, encoded=True)
        async with bridge.client.get(url) as got:
            assert got.status == 404
            assert "outside" not in await got.text()


async def test_a_file_that_was_taken_away_is_not_found(root: Path) -> None:
    async with running(root) as bridge:
        (root / "call.js").unlink()
        assert (await bridge.ask("GET", "/call.js"))[0] == 404


def test_a_page_that_is_nowhere_is_told_with_both_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(page, "__file__", str(tmp_path / "rtbridge" / "server" / "page.py"))
    with pytest.raises(SettingsError, match="shipped"):
        page.default_root()
    (tmp_path / "rtbridge" / "shipped" / "web").mkdir(parents=True)
    (tmp_path / "rtbridge" / "shipped" / "web" / "index.html").write_text("")
    assert page.default_root() == tmp_path / "rtbridge" / "shipped" / "web"
