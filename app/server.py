"""The app with security headers, for `streamlit run app/server.py`.

Belongs here: which requests are answered, and what answers carry. Does not: the pages (main).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from dagster_project.web_server import OWN_HOSTS, OwnPagesOnly

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Streamlit's page has inline styles and a script, and charts compile expressions.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws: wss:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Source: OWASP, HTTP Security Response Headers Cheat Sheet."""

NOT_KEPT = {"cache-control": "no-store"}
"""For amounts and downloads; the program's own scripts and styles may be kept."""

OWN_FILES = ("/static/", "/favicon.png")


@dataclass(frozen=True)
class SecurityHeaders:
    """ASGI middleware that adds the headers to every answer."""

    app: Callable[..., Awaitable[None]]

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        """Pass a request on, and add the headers to its answer."""
        is_kept = str(scope.get("path", "")).startswith(OWN_FILES)
        added = HEADERS if is_kept else HEADERS | NOT_KEPT

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    (name, value)
                    for name, value in message.get("headers", [])
                    if name.decode("latin-1").lower() not in added
                ]
                ours = [(name.encode(), value.encode()) for name, value in added.items()]
                message = {**message, "headers": [*kept, *ours]}
            await send(message)

        await self.app(scope, receive, sent)


def own_hosts() -> frozenset[str]:
    """The names of the server: this machine's, and those that .streamlit/config.toml states."""
    stated = (st.get_option("server.address"), st.get_option("browser.serverAddress"))
    return OWN_HOSTS | {str(each).lower() for each in stated if each}


app = st.App(
    Path(__file__).with_name("main.py"),
    middleware=[Middleware(SecurityHeaders), Middleware(OwnPagesOnly, hosts=own_hosts())],
)
"""The pages of the app; `streamlit run app/server.py` shows them with security headers.

A page of another site can neither read an answer nor open a session: requests name this server as
their host and come from its own pages.
"""
