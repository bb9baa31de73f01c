"""Dagster's web server does nothing for a page of another site, and all for its own."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.settings import PROJECT_ROOT
from dagster_project.web_server import LOCATION, refusal, run_together

OWN = "127.0.0.1:3000"
OTHER_SITE = "The request comes from a page of another site."
OTHER_HOST = "The request names another host. Open the address that the server prints."


def scope(method: str, path: str = "/graphql", kind: str = "http", **headers: str) -> dict:
    """An ASGI scope; header names are written with underscores."""
    fields = {"host": OWN, **headers}
    return {
        "type": kind,
        "method": method,
        "path": path,
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()
        ],
    }


@pytest.mark.parametrize(
    "request_scope",
    [
        scope("POST", origin=f"http://{OWN}", sec_fetch_site="same-origin", sec_fetch_mode="cors"),
        scope("POST", host="localhost:3000", origin="http://localhost:3000"),
        scope("POST", host="[::1]:3000", origin="http://[::1]:3000"),
        # A program without a browser.
        scope("POST"),
        scope("GET", "/", sec_fetch_site="none", sec_fetch_mode="navigate"),
        # A link in a mail or a ticket.
        scope("GET", "/runs", sec_fetch_site="cross-site", sec_fetch_mode="navigate"),
        scope("GET", "/graphql", accept="text/html,*/*", sec_fetch_site="none"),
        scope("GET", "/server_info"),
        scope("GET", kind="websocket", origin=f"http://{OWN}"),
    ],
    ids=lambda each: f"{each['type']} {each['method']} {each['path']} {len(each['headers'])}",
)
def test_own_pages_links_and_programs_are_answered(request_scope: dict) -> None:
    assert refusal(request_scope) is None


@pytest.mark.parametrize(
    ("request_scope", "reason"),
    [
        (scope("POST", origin="https://evil.example"), OTHER_SITE),
        (scope("POST", origin="null"), OTHER_SITE),
        # Another program of this machine that serves pages.
        (scope("POST", origin="http://127.0.0.1:8501"), OTHER_SITE),
        (scope("POST", origin=f"http://{OWN}.evil.example"), OTHER_SITE),
        (scope("POST", sec_fetch_site="cross-site", sec_fetch_mode="no-cors"), OTHER_SITE),
        (scope("POST", sec_fetch_site="cross-site", sec_fetch_mode="navigate"), OTHER_SITE),
        (scope("GET", sec_fetch_site="cross-site", sec_fetch_mode="no-cors"), OTHER_SITE),
        (scope("GET", kind="websocket", origin="https://evil.example"), OTHER_SITE),
        # A name of another site that leads to this machine.
        (scope("POST", host="evil.example:3000"), OTHER_HOST),
        (scope("GET", "/", host="evil.example"), OTHER_HOST),
        (scope("GET", "/", host="127.0.0.1.evil.example:3000"), OTHER_HOST),
        (scope("GET", "/", host=""), OTHER_HOST),
        (scope("GET"), "GraphQL is answered to POST only."),
        (scope("GET", "/graphql/", accept="image/png"), "GraphQL is answered to POST only."),
        (scope("HEAD"), "GraphQL is answered to POST only."),
    ],
)
def test_other_sites_and_reading_requests_start_nothing(request_scope: dict, reason: str) -> None:
    assert refusal(request_scope) == reason


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    request = scope("GET", "/")
    request["headers"] = []
    assert refusal(request) == OTHER_HOST
    request["headers"] = [(b"host", OWN.encode()), (b"host", b"evil.example")]
    assert refusal(request) == OTHER_HOST


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real web server on a port of its own."""
    home = tmp_path_factory.mktemp("dagster_home")
    shutil.copy(PROJECT_ROOT / ".dagster" / "dagster.yaml", home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "dagster_project.web_server", *LOCATION, "--port", str(port)],
            cwd=PROJECT_ROOT,
            env={"DAGSTER_HOME": str(home), "PATH": str(Path(sys.executable).parent)},
            stdout=log,
            stderr=log,
        )
    own = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{own}/server_info", timeout=5)
                break
            except OSError:
                assert server.poll() is None, (home / "log").read_text()
                assert time.monotonic() < deadline, (home / "log").read_text()
                time.sleep(0.3)
        yield own
    finally:
        server.terminate()
        server.wait(timeout=30)


MUTATION = "mutation { setNuxSeen }"


def status(address: str, query: str | None = None, **headers: str) -> tuple[int, str]:
    """The status and body of the answer to a mutation, in the query string or posted."""
    url, body = f"{address}/graphql", None
    if query is not None:
        url += f"?query={urllib.request.quote(query)}"
    else:
        body = json.dumps({"query": MUTATION}).encode()
        headers["Content-Type"] = "application/json"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as got:
            return got.status, got.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_server_obeys_its_own_pages_and_no_others(address: str) -> None:
    assert status(address, Origin="https://evil.example")[0] == 403
    assert status(address, Host="evil.example")[0] == 403
    assert status(address, query=MUTATION)[0] == 403
    image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image", "Accept": "image/*"}
    assert status(address, query=MUTATION, **image)[0] == 403
    code, answer = status(address, Origin=address)
    assert (code, "errors" in answer) == (200, False), answer


def test_pages_of_other_sites_cannot_frame_it(address: str) -> None:
    with urllib.request.urlopen(f"{address}/", timeout=60) as page:
        assert page.headers["X-Frame-Options"] == "DENY"


def test_when_one_process_ends_the_other_is_ended(tmp_path: Path) -> None:
    ready, stopped = tmp_path / "ready", tmp_path / "stopped"
    long = (
        "import pathlib, signal, sys, time\n"
        f"def stop(*_): pathlib.Path({str(stopped)!r}).touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(60)\n"
    )
    short = (
        "import pathlib, sys, time\n"
        f"while not pathlib.Path({str(ready)!r}).exists(): time.sleep(0.05)\n"
        "sys.exit(3)\n"
    )
    assert run_together([[sys.executable, "-c", each] for each in (long, short)]) == 3
    assert stopped.exists()
