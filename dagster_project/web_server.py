"""Dagster's web server, for requests from its own pages only.

Dagster's server has no sign-in, and a page of any site that is open in the same browser can send it
requests; one of them would be enough to close a period. A request must therefore name this server
as its host, its origin must be this server, and reading never runs an operation.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.settings import PROJECT_ROOT

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OWN_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names of this machine. The owner of any site can make other names resolve to it."""

ADDRESS = "127.0.0.1"
"""The server listens on this machine only: it has no sign-in."""

LOCATION = ("-m", "dagster_project.definitions", "--working-directory", str(PROJECT_ROOT))


@dataclass(frozen=True)
class OwnPagesOnly:
    """ASGI middleware that answers 403 to requests that other sites caused.

    The rules follow OWASP's Cross-Site Request Forgery Prevention Cheat Sheet: the Host header is
    known, Origin and Sec-Fetch-Site, which browsers set and pages can't, are the server's own.
    Programs other than browsers send neither and are not affected.
    """

    app: App
    hosts: frozenset[str] = OWN_HOSTS
    """The names of the server, without port."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        reason = refusal(scope, self.hosts)
        if reason is None:
            await self.app(scope, receive, _with_frame_ban(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
        else:
            body = f"{reason}\n".encode()
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})


def refusal(scope: Scope, own_hosts: frozenset[str] = OWN_HOSTS) -> str | None:
    """Why a request is refused, in a sentence; None if it is not."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    hosts = headers.get("host", [])
    if len(hosts) != 1 or _host_name(hosts[0]) not in own_hosts:
        return "The request names another host. Open the address that the server prints."
    for origin in headers.get("origin", []):
        if origin.lower() not in (f"http://{hosts[0]}".lower(), f"https://{hosts[0]}".lower()):
            return "The request comes from a page of another site."
    reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
    follows_link = reads and headers.get("sec-fetch-mode") == ["navigate"]
    for site in headers.get("sec-fetch-site", []):
        if site not in ("same-origin", "none") and not follows_link:
            return "The request comes from a page of another site."
    if reads and _asks_graphql(scope) and "text/html" not in "".join(headers.get("accept", [])):
        return "GraphQL is answered to POST only."
    return None


def _host_name(host: str) -> str:
    return re.sub(r":\d+$", "", host).lower()


def _asks_graphql(scope: Scope) -> bool:
    return str(scope["path"]).rstrip("/").endswith("/graphql")


def _with_frame_ban(send: Send) -> Send:
    """Forbid pages of other sites to show this one in a frame, where clicks can be stolen."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", []), (b"x-frame-options", b"DENY")]
            message = {**message, "headers": headers}
        await send(message)

    return sent


def serve() -> int:
    """Run the web server and the daemon until one ends or the process is interrupted.

    Returns 0 after an interruption, else the code of the process that ended first.
    """
    # A process that a script starts with & ignores interrupts, and Dagster stops by them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _create_records()
    server = [sys.executable, "-m", "dagster_project.web_server", *LOCATION, "--host", ADDRESS]
    daemon = str(Path(sys.executable).with_name("dagster-daemon"))
    return run_together([server, [daemon, "run", *LOCATION]])


def _create_records() -> None:
    """Create Dagster's databases, which two processes at once cannot do."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        instance.get_runs_count()
        instance.fetch_materializations(dg.AssetKey("any"), limit=1)
        instance.all_instigator_state()


def run_together(commands: list[list[str]]) -> int:
    """Run commands side by side; when one ends, end the others. Returns as `serve` does."""
    processes = [subprocess.Popen(command, cwd=PROJECT_ROOT) for command in commands]
    try:
        # The first that ends, whichever it is.
        ended, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        for process in processes:
            if process.pid == ended:
                process.returncode = code
        return code or 1
    except KeyboardInterrupt:
        return 0
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    from dagster_project.private_interfaces import run_web_server

    run_web_server(OwnPagesOnly)
