"""Start web server, daemon, app and HTTP service together, wait for each to answer, stop them.

    .venv/bin/python deploy/try_services.py FOLDER [DAGSTER_YAML]

FOLDER is a data folder with published results. The processes are those of compose.yaml and of the
systemd units, on free ports, with Dagster's records in a folder of their own. Exits with status 0
if each answered, and prints the log of one that did not.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dagster_project.settings import PROJECT_ROOT
from dagster_project.web_server import LOCATION

LONGEST_SECONDS = 120
HEALTH = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"


@dataclass
class Service:
    """A process and the question whether it answers."""

    name: str
    command: list[str]
    answers: Callable[[], bool]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the process; its output goes to the log."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log
            )


def main(folder: str, settings: str = str(PROJECT_ROOT / ".dagster" / "dagster.yaml")) -> int:
    """0 if every service answered."""
    with tempfile.TemporaryDirectory(prefix="apportion-services-") as name:
        home = Path(name)
        shutil.copy(settings, home / "dagster.yaml")
        environment = os.environ | {
            "APPORTION_DATA": str(Path(folder).resolve()),
            "DAGSTER_HOME": str(home),
        }
        # A published folder is enough: no trigger may start a run.
        services = _services(home)
        try:
            return _try(services, environment)
        finally:
            _stop(services)


def _services(home: Path) -> list[Service]:
    web, app, api = _free_ports(3)
    programs = Path(sys.executable).parent
    at = "http://127.0.0.1"
    return [
        Service(
            "web server",
            [sys.executable, "-m", "dagster_project.web_server", *LOCATION, "--port", str(web)],
            lambda: _status(f"{at}:{web}/server_info") == 200,
            home / "web.log",
        ),
        Service(
            "daemon",
            [str(programs / "dagster-daemon"), "run", *LOCATION],
            lambda: _is_daemon_healthy(f"{at}:{web}/graphql"),
            home / "daemon.log",
        ),
        Service(
            "app",
            [str(programs / "streamlit"), "run", "app/server.py", "--server.port", str(app)],
            lambda: _status(f"{at}:{app}/_stcore/health") == 200,
            home / "app.log",
        ),
        Service(
            "API",
            [sys.executable, "-m", "dagster_project", "api", "--port", str(api)],
            # Without a token, it answers that one is needed.
            lambda: _status(f"{at}:{api}/v1/periods") == 401,
            home / "api.log",
        ),
    ]


def _try(services: list[Service], environment: Mapping[str, str]) -> int:
    started = time.monotonic()
    for service in services:
        service.start(environment)
        if service.name == "web server" and not _wait(service, started):
            # Two processes cannot create Dagster's records at once.
            return 1
    return 0 if all([_wait(service, started) for service in services[1:]]) else 1


def _wait(service: Service, started: float) -> bool:
    while time.monotonic() - started < LONGEST_SECONDS:
        assert service.process is not None
        if service.process.poll() is not None:
            break
        if service.answers():
            print(f"{service.name} answers after {time.monotonic() - started:.0f} s", flush=True)
            return True
        time.sleep(0.3)
    print(f"{service.name} does not answer:\n{service.log.read_text()}", file=sys.stderr)
    return False


def _stop(services: list[Service]) -> None:
    processes = [service.process for service in services if service.process is not None]
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _is_daemon_healthy(url: str) -> bool:
    request = urllib.request.Request(
        url, json.dumps({"query": HEALTH}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            data = json.loads(answer.read())["data"]
    except (OSError, ValueError, KeyError):
        return False
    statuses = data["instance"]["daemonHealth"]["allDaemonStatuses"]
    required = [each["healthy"] for each in statuses if each["required"]]
    return bool(required) and all(required)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
