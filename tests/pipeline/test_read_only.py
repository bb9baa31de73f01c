"""Commands on a data folder that the account may only read: one sentence with the reason.

Tests run as any account. Root would write everywhere, so its children give up that right.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.faults import UNHARMED
from dagster_project.settings import PROJECT_ROOT

RIGHTS_OF_ROOT = "-dac_override,-dac_read_search,-fowner"
PLAIN = ["setpriv", f"--bounding-set={RIGHTS_OF_ROOT}", "--inh-caps=-all"]

pytestmark = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None,
    reason="root needs setpriv to be denied anything",
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "data"
    for name in ("landing", ".run"):
        (root / name).mkdir(parents=True)
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for each in folders:
        each.chmod(0o555)
    yield root
    for each in folders:
        each.chmod(0o755)


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["run"], ".run/"),
        (["export"], ".run/writer.lock"),
        (["api-token", "add", "reports", "--broker"], "api_tokens.json"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_read_only_folder_is_one_sentence(folder: Path, command: list[str], place: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    ended = subprocess.run(
        [
            *(PLAIN if os.geteuid() == 0 else []),
            *(sys.executable, "-m", "dagster_project"),
            *(*command, "--data", str(folder)),
        ],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith(f"Error: Access is denied: {folder}/{place}")
    assert UNHARMED in sentence and "Give this account permission" in sentence
