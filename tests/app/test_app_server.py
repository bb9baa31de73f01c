"""The hosts of the app's server, and security headers on every answer."""

import asyncio
from typing import Any

import pytest

from app import server
from app.server import HEADERS, SecurityHeaders


def answer(path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    """The headers of an answer that an application gives with headers of its own."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"12.50"})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path}
    asyncio.run(SecurityHeaders(application)(scope, None, send))
    start, body = sent
    assert body["body"] == b"12.50"
    found: dict[str, list[str]] = {}
    for name, value in start["headers"]:
        found.setdefault(name.decode(), []).append(value.decode())
    return found


@pytest.mark.parametrize("path", ["/", "/chargeback", "/media/abc.csv", "/static/js/a.js"])
def test_every_answer_has_each_header_once(path: str) -> None:
    found = answer(path, [(b"content-type", b"text/csv"), (b"x-frame-options", b"ALLOWALL")])
    assert found["content-type"] == ["text/csv"]
    assert {name: found[name] for name in HEADERS} == {
        name: [value] for name, value in HEADERS.items()
    }


def test_amounts_are_not_kept_by_browsers_and_proxies() -> None:
    own = [(b"cache-control", b"public, max-age=31536000")]
    assert answer("/media/statement.csv", own)["cache-control"] == ["no-store"]
    assert answer("/static/js/a.js", own)["cache-control"] == ["public, max-age=31536000"]


def test_no_other_site_can_show_the_app_or_run_code_in_it() -> None:
    policy = HEADERS["content-security-policy"].split("; ")
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'self'" in policy
    assert not any("*" in rule or "http" in rule for rule in policy)


def test_the_names_of_the_server_are_those_of_this_machine_and_the_stated_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stated = {"server.address": "10.0.0.7", "browser.serverAddress": "Costs.Example.com"}
    monkeypatch.setattr(server.st, "get_option", stated.get)
    assert server.own_hosts() == {
        "127.0.0.1",
        "localhost",
        "[::1]",
        "10.0.0.7",
        "costs.example.com",
    }
    monkeypatch.setattr(server.st, "get_option", lambda name: None)
    assert "costs.example.com" not in server.own_hosts()
