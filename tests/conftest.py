"""Shared fixtures: a landing folder to write into, and the real pipeline to run on it.

`make test` runs the files of tests in several processes at once, each file in one of them.
A test therefore writes only to folders of pytest, ports chosen by the system, and variables that
monkeypatch restores. It has the same name in all processes, so parameters made from the time of day
need `ids`. Tests of speed measure the processor time of their process.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import builds
import duckdb
import filelock
import pytest
import rooms
from builds import SAMPLE

from dagster_project import dbt_runner, publish
from dagster_project.landing.sync import LandingReport
from dagster_project.settings import DataFolder

DEFAULT_SEED = 20260106
EXAMPLE = Path(__file__).parent / "golden" / "published_example"

# By far the longest files, the longest first: started last, one would keep a single process busy
# while the others are idle.
LONGEST = (
    "test_pipeline.py",
    "test_builds.py",
    "test_unit_tests.py",
    "test_corrections.py",
    "test_oracle.py",
    "test_forecasts.py",
    "test_random_histories.py",
    "test_what_if.py",
    "test_quarantine.py",
    "test_every_source.py",
    "test_random_deliveries.py",
    "test_app_browser.py",
    "test_service.py",
    "test_forecasting.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--room", help="run the tests of one room only, e.g. splits")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than processors: some tests wait for browsers, services and the clock."""
    return (os.cpu_count() or 1) + 1


def pytest_report_header() -> str:
    """The seed of the damaged files, in the output of every run, also of one that succeeds."""
    return f"APPORTION_TEST_SEED={os.environ.get('APPORTION_TEST_SEED') or DEFAULT_SEED}"


def pytest_configure(config: pytest.Config) -> None:
    """Run a room's folder and its unit tests instead of everything."""
    room = config.getoption("room")
    if room is not None:
        try:
            config.args = [str(path) for path in rooms.tests_of(room)]
        except rooms.UnknownRoom as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; the tests of a file keep their order."""
    begun_first = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: begun_first.get(item.path.name, len(LONGEST)))


@dataclass
class Company:
    """A data folder of a test: `drop` files into landing, `build`, then `query`."""

    data: DataFolder
    failures: tuple[str, ...] = field(default=())
    _reader: tuple[object, duckdb.DuckDBPyConnection] | None = field(default=None, repr=False)

    def drop(self, name: str, content: str | bytes) -> Path:
        """Write one landed file, e.g. `billing_lines/january.csv`; returns its path."""
        path = self.data.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self) -> LandingReport:
        """Landing and ledger to raw tables."""
        return builds.ingest(self.data)

    def build(
        self, *arguments: str, models: Collection[str] = (), expect_success: bool = True
    ) -> "Company":
        """Landing to marts, data tests included, or to the models named.

        `arguments` are dbt's, e.g. variables.
        """
        if not arguments:
            builds.begin(self.data)
        self.ingest()
        self.failures = builds.build(self.data, arguments, models)
        if expect_success:
            assert self.failures == (), "\n".join(self.failures)
        return self

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple]:
        """Rows of a query on the warehouse; schemas are raw, staging, intermediate, marts."""
        return self._connection().execute(sql, parameters or {}).fetchall()

    def _connection(self) -> duckdb.DuckDBPyConnection:
        """A connection to a copy of the warehouse as it is now.

        Opening a warehouse takes DuckDB longer than most queries. An open connection to the
        warehouse itself would be in the way of the next build.
        """
        status = self.data.warehouse.stat()
        state = (status.st_ino, status.st_size, status.st_mtime_ns)
        if self._reader is None or self._reader[0] != state:
            with tempfile.TemporaryDirectory() as folder:
                # Changes that a killed process left behind are in a second file.
                for path in self.data.root.glob("warehouse.duckdb*"):
                    shutil.copyfile(path, Path(folder, path.name))
                # The open file lives on without its name.
                copy = duckdb.connect(str(Path(folder, self.data.warehouse.name)), read_only=True)
                self._reader = (state, copy)
        return self._reader[1]


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """An empty data folder."""
    return Company(DataFolder(tmp_path / "data"))


@pytest.fixture(scope="session")
def new_company(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Company]:
    """Makes empty data folders, for tests that need several or share one."""
    return lambda: Company(DataFolder(tmp_path_factory.mktemp("company")))


NewCompany = Callable[[], Company]
MadeOnce = Callable[[str, Callable[[DataFolder], None]], DataFolder]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> MadeOnce:
    """Makes a data folder once per run of the tests and gives each process a copy to work with."""
    own = tmp_path_factory.getbasetemp()
    # Each of several processes has a folder below that of the run.
    shared = own if worker_id == "master" else own.parent

    def made(name: str, make: Callable[[DataFolder], None]) -> DataFolder:
        original, copy = shared / f"{name} original", own / name
        if not copy.exists():
            with filelock.FileLock(shared / f"{name}.lock"):
                if not original.exists():
                    building = tmp_path_factory.mktemp(f"{name} building")
                    make(DataFolder(building))
                    building.rename(original)
            # With the times of the files, by which a run recognizes them.
            shutil.copytree(original, copy)
        return DataFolder(copy)

    return made


@pytest.fixture(scope="session")
def sample_company(made_once: MadeOnce) -> Company:
    """The sample company, built and published. Tests share it and must not change it."""

    def make(data: DataFolder) -> None:
        shutil.copytree(SAMPLE / "landing", data.landing)
        Company(data).build()
        publish.publish(data, dbt_runner.read_manifest(), "state")

    return Company(made_once("sample company", make))


@pytest.fixture(scope="session")
def example(made_once: MadeOnce) -> Company:
    """The broker platform's own published example, built. Tests must not change it."""

    def make(data: DataFolder) -> None:
        company = Company(data)
        company.drop("billing_lines/report.csv", (EXAMPLE / "billing_report.csv").read_bytes())
        company.drop("split_history/splits.csv", (EXAMPLE / "split_history.csv").read_bytes())
        company.build()

    return Company(made_once("example", make))
