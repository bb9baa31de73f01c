"""The benchmark's peers give the figures of a run; no time is measured."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from builds import MODELS_ONLY, build, ingest

from dagster_project.settings import PROJECT_ROOT, DataFolder

BENCHMARKS = PROJECT_ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import chargeback  # noqa: E402
import company  # noqa: E402

SHAPE = company.Shape(subscriptions=60, months=3, seed=7)


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the landing files, and our tables as a run publishes them."""
    folder = tmp_path_factory.mktemp("benchmark")
    company.write_company(folder / "landing", SHAPE)
    data = DataFolder(folder / "apportion")
    data.root.mkdir()
    data.landing.symlink_to(folder / "landing")
    ingest(data)
    assert build(data, MODELS_ONLY) == ()
    marts = data.published / "marts"
    marts.mkdir(parents=True)
    with duckdb.connect(str(data.warehouse), read_only=True) as connection:
        for name in ("billing_report", "chargeback"):
            connection.execute(f"copy marts.{name} to '{marts / name}.parquet' (format parquet)")
    return folder


def run_peer(name: str, works: Path) -> None:
    out = works / name
    out.mkdir(exist_ok=True)
    subprocess.run(
        [sys.executable, str(BENCHMARKS / "peers.py"), name, str(works / "landing"), str(out)],
        check=True,
    )


@pytest.mark.parametrize("peer", ["duckdb", "pandas", "polars", "chdb"])
def test_a_peer_gives_the_parts_and_the_chargeback_table_of_a_run(peer: str, works: Path) -> None:
    # `make bench` installs Polars and chDB.
    if importlib.util.find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed")
    run_peer(peer, works)
    chargeback.compare(works, ["apportion", peer])


def test_the_comparison_finds_a_part_that_differs_by_one_millionth(works: Path) -> None:
    run_peer("duckdb", works)
    changed = works / "changed"
    changed.mkdir()
    for name in ("split", "chargeback"):
        duckdb.sql(
            f"""
            copy (
                from '{works / "duckdb" / name}.parquet'
                select * replace (
                    total_cost + case when row_number() over () = 1 then 1 else 0 end as total_cost
                )
            ) to '{changed / name}.parquet' (format parquet)
            """
        )
    chargeback.NAMES["changed"] = "Changed"
    with pytest.raises(chargeback.FiguresDiffer, match="1 of the latter"):
        chargeback.compare(works, ["apportion", "changed"])


def test_the_company_has_the_stated_number_of_lines(works: Path) -> None:
    count = duckdb.sql(
        f"from read_csv('{works}/landing/billing_lines/**/*.csv') select count(*)"
    ).fetchone()
    # A subscription's month of change is drawn, so three months do not have exactly a quarter.
    assert count is not None and abs(count[0] - SHAPE.line_count) < 30
