"""What the tests share: a landing folder to write into and the real pipeline to run on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

from dagster_project import dbt_runner, ingest, ledger
from dagster_project.settings import PROJECT_ROOT, DataFolder

SAMPLE = PROJECT_ROOT / "data" / "sample"


@dataclass
class Company:
    """A data folder of a test: `drop` files into landing, `build`, then look with `query`."""

    data: DataFolder
    failures: tuple[str, ...] = field(default=())

    def drop(self, name: str, content: str | bytes) -> Path:
        """Write one landed file, e.g. `billing_lines/january.csv`; returns its path."""
        path = self.data.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self) -> ingest.IngestReport:
        """Landing and ledger to raw tables."""
        self.data.landing.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(self.data.warehouse)) as connection:
            ledger.load(self.data.ledger, connection)
            return ingest.sync(self.data.landing, connection)

    def build(self, *arguments: str, expect_success: bool = True) -> "Company":
        """Landing to marts with the real dbt project, data tests included."""
        self.ingest()
        outcome = dbt_runner.invoke(
            ["build", "--no-write-json", "--exclude-resource-type", "unit_test", *arguments],
            self.data,
            self.data.run_folder / "dbt",
        )
        self.failures = outcome.failures
        if expect_success:
            assert outcome.is_success, "\n".join(outcome.failures)
        return self

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple]:
        """Rows of a query on the warehouse; schemas are raw, staging, intermediate, marts."""
        with duckdb.connect(str(self.data.warehouse), read_only=True) as connection:
            return connection.execute(sql, parameters or {}).fetchall()


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """An empty data folder."""
    return Company(DataFolder(tmp_path / "data"))


@pytest.fixture(scope="session")
def new_company(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Company]:
    """Makes empty data folders, for tests that need several or share one."""
    return lambda: Company(DataFolder(tmp_path_factory.mktemp("company")))
