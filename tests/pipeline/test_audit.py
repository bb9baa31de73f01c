"""The audit of pinned packages, against an index on this machine."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dagster_project.settings import PROJECT_ROOT

ADVISORIES = {
    "/sound/1.0/json": [],
    "/broken/2.1/json": [{"id": "PYSEC-2026-1", "fixed_in": ["2.2"], "withdrawn": None}],
    "/taken-back/3.0/json": [{"id": "PYSEC-2026-2", "fixed_in": [], "withdrawn": "2026-01-01"}],
}


@pytest.fixture
def index() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = ADVISORIES.get(self.path)
            self.send_response(404 if found is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps({"vulnerabilities": found}).encode())

        def log_message(self, *_: object) -> None:
            """Not on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def audit(tmp_path: Path, index: str, pins: str) -> tuple[int, str]:
    file = tmp_path / "pins.txt"
    file.write_text(pins)
    done = subprocess.run(
        [sys.executable, PROJECT_ROOT / ".ci/audit", file],
        env=os.environ | {"PACKAGE_INDEX_JSON": index},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_package_with_an_advisory_fails_the_audit(tmp_path: Path, index: str) -> None:
    pins = "broken==2.1 \\\n    --hash=sha256:00\nsound==1.0 ; python_version > '3'\n"
    code, output = audit(tmp_path, index, pins)
    assert code == 1
    assert "broken 2.1: PYSEC-2026-1, fixed in 2.2" in output


def test_packages_without_an_advisory_pass(tmp_path: Path, index: str) -> None:
    code, output = audit(tmp_path, index, "sound==1.0\ntaken-back==3.0\nunknown==1\n")
    assert code == 0
    assert "Not checked: unknown 1 (404)" in output
    assert "Checked: 3 packages, 0 advisories" in output


def test_without_an_index_nothing_fails(tmp_path: Path) -> None:
    code, output = audit(tmp_path, "http://127.0.0.1:9", "sound==1.0\n")
    assert code == 0
    assert "Not checked: 1 of 1 packages" in output
