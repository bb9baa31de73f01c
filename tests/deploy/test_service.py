"""Running as a service: the processes together, backup and restore, and the units."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from builds import MODELS_ONLY
from conftest import Company, MadeOnce
from published_company import copied, published_company, query

from dagster_project import dbt_runner, publish, run_state
from dagster_project.ledger import anchors
from dagster_project.settings import PROJECT_ROOT, DataFolder

DEPLOY = PROJECT_ROOT / "deploy"
OPERATING = (PROJECT_ROOT / "docs" / "operating.md").read_text()
OPERATIONS = (PROJECT_ROOT / "docs" / "operations.md").read_text()


@pytest.fixture(scope="module")
def company(made_once: MadeOnce) -> DataFolder:
    return published_company(made_once)


def backup_command() -> list[str]:
    """The arguments of tar in the documentation; the archive is `{archive}`."""
    command = re.search(r"^    (tar --create .*?)\n\n", OPERATING, re.MULTILINE | re.DOTALL)
    assert command
    text = command[1].replace("\\\n", " ").replace("$(date +%F)", "now")
    return [each.replace("/backup/apportion-now.tar.gz", "{archive}") for each in shlex.split(text)]


def test_the_backup_has_what_cannot_be_built_again() -> None:
    needed = re.findall(r"^\| `([^`<*]+?)/?[`<].*\| yes \|$", OPERATIONS, re.MULTILINE)
    assert {"landing", "ledger", "forgotten_users.jsonl"} <= {*needed}
    assert {*needed} <= {*backup_command()}


def test_a_restored_backup_gives_the_same_results(company: DataFolder, tmp_path: Path) -> None:
    original = copied(company, tmp_path / "original")
    archive = tmp_path / "backup.tar.gz"
    command = [each.format(archive=archive) for each in backup_command()]
    subprocess.run(command, cwd=original.root, check=True, capture_output=True)
    restored = DataFolder(tmp_path / "restored")
    restored.root.mkdir()
    subprocess.run(
        ["tar", "--extract", "--gzip", "--file", archive, "--directory", restored.root], check=True
    )
    assert not restored.warehouse.exists() and not restored.published.exists()

    assert len(anchors.verify(restored).postings) == 1
    # The state of the published version has the ledger's head.
    assert company.published / "current" / "state.json" in anchors.verify(company).anchors
    restored.run_folder.mkdir()
    run_state.begin(restored)
    Company(restored).build(*MODELS_ONLY)
    publish.publish(restored, dbt_runner.read_manifest(), run_state.begun(restored))
    for mart in ("billing_report", "chargeback", "statement_lines", "billing_periods", "findings"):
        rows = f"select * from {mart} order by all"
        assert query(restored, rows) == query(original, rows), mart


def test_web_server_daemon_app_and_api_answer_together(company: DataFolder) -> None:
    tried = subprocess.run(
        [sys.executable, DEPLOY / "try_services.py", company.root],
        cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=180,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(PROJECT_ROOT)},
    )  # fmt: skip
    assert tried.returncode == 0, tried.stderr
    names = re.findall(r"^(.+) answers after", tried.stdout, re.MULTILINE)
    assert names == ["web server", "daemon", "app", "API"]


def test_containers_have_no_rights_and_listen_on_this_machine() -> None:
    composed = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text())
    services = composed["services"]
    assert {*services} == {"postgres", "web", "daemon", "app", "api"}
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service and "healthcheck" in service, name
        if name != "postgres":
            assert service["user"] == "10001:10001" and service["cap_drop"] == ["ALL"], name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        assert "0.0.0.0" not in str(service), name
    text = (PROJECT_ROOT / "Dockerfile").read_text()
    assert text.rstrip().splitlines()[-2] == "USER 10001:10001"
    assert text.count("--require-hashes") == 2


def test_dagsters_settings_are_the_same_but_for_its_records() -> None:
    service = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    own = yaml.safe_load((PROJECT_ROOT / ".dagster" / "dagster.yaml").read_text())
    assert service.pop("storage")["postgres"]["postgres_db"]["password"] == {
        "env": "APPORTION_POSTGRES_PASSWORD"
    }
    assert service == own


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_units_are_valid(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text().replace("/opt/apportion/.venv/bin/apportion", "/bin/true")
        text = text.replace("/opt/apportion/.venv/bin/streamlit", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    units = sorted(tmp_path.iterdir())
    assert len(units) == 4
    checked = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 0 and not checked.stderr, checked.stderr
