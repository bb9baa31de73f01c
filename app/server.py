"""The app with security headers, for `streamlit run app/server.py`.

Belongs here: what every answer of the server carries. Does not: the pages (main).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

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


app = st.App(Path(__file__).with_name("main.py"), middleware=[Middleware(SecurityHeaders)])
