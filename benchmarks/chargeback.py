"""Measure a run beside expert scripts for the same split, in whole processes.

    make bench SIZE=S      140,000 billing lines      M: 1,000,000      L: 10,000,000

Every round runs each work once, in another order, on the same landing files. The figures are
compared after the first round: all works must give the same parts to the last unit, or the
benchmark ends with an error. Times, CPU and memory are those of a process with its children.
Results go to benchmarks/results.md, one section per size.
"""

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import company
import duckdb

from dagster_project.settings import DataFolder

ROOT = Path(__file__).resolve().parents[1]
PEERS_FILE = Path(__file__).with_name("peers.py")
RESULTS = Path(__file__).with_name("results.md")
PEERS = ("polars", "duckdb", "chdb", "pandas", "limit")
REFERENCE = "polars"
PACKAGES = {"polars": "polars", "chdb": "chdb", "pandas": "pandas", "duckdb": "duckdb"}
ROUNDS = {"XS": 1, "S": 3, "M": 2, "L": 1}
MODELS_SHOWN = 15
NAMES = {
    "apportion": "Apportion, everything",
    "only": "Apportion, --only chargeback",
    "polars": "Polars",
    "duckdb": "DuckDB by hand",
    "chdb": "chDB",
    "pandas": "pandas",
    "limit": "read and write only",
}


class FiguresDiffer(Exception):
    """Two works do not give the same parts."""


@dataclass(frozen=True)
class Measure:
    """One process: seconds and bytes; `lines` are what it printed, with the second of each."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    lines: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Step:
    """A part of a run and its seconds."""

    name: str
    seconds: float


@dataclass
class Work:
    """A command to measure, with its measures."""

    name: str
    measures: list[Measure] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(each.seconds for each in self.measures)

    @property
    def cpu_seconds(self) -> float:
        """The median of processor seconds."""
        return statistics.median(each.cpu_seconds for each in self.measures)

    @property
    def peak_bytes(self) -> int:
        """The highest peak of memory."""
        return max(each.peak_bytes for each in self.measures)


def main() -> int:
    """Measure, print the tables and write them to results.md; returns the exit code."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="apportion-bench-", dir=arguments.folder) as folder:
        try:
            report = benchmark(arguments, Path(folder))
        except (FiguresDiffer, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            return 1
    print(report)
    if not arguments.no_results:
        write_results(arguments.size, report)
        print(f"\nWritten to {RESULTS}")
    return 0


def benchmark(arguments: argparse.Namespace, folder: Path) -> str:
    """All measurements of a size, as Markdown."""
    size: str = arguments.size
    shape = company.SIZES[size]
    print(f"Writing {shape.line_count:,} billing lines ...", flush=True)
    company.write_company(folder / "landing", shape)
    peers = [name for name in arguments.peers.split(",") if name and _is_installed(name)]
    if not arguments.peers_only:
        warm_up(folder)
    names = [*peers, "apportion", *(["only"] if _has_only() else [])]
    works = {name: Work(name) for name in names if not (arguments.peers_only and name in OURS)}
    steps: list[Step] = []
    for number in range(arguments.rounds or ROUNDS[size]):
        # Another order in each round: none always runs on a warm or a throttled machine.
        order = list(works)[number % len(works) :] + list(works)[: number % len(works)]
        for name in order:
            print(f"Round {number + 1}: {NAMES[name]} ...", end=" ", flush=True)
            measure = run_once(name, folder)
            works[name].measures.append(measure)
            print(f"{measure.seconds:,.1f} s", flush=True)
            if name == "apportion":
                steps = steps_of(measure, DataFolder(folder / name))
        if number == 0:
            compare(folder, list(works))
    parts = [table(works, shape.line_count)]
    if steps:
        parts.append(table_of_steps(steps))
    if arguments.growth:
        months = [int(each) for each in arguments.growth.split(",")]
        parts.append(table_of_growth(months, arguments.growth_lines, folder))
    return "\n\n".join(parts)


def warm_up(folder: Path) -> None:
    """Run a small company: the first run after an installation compiles the dbt project."""
    print("Warming up ...", flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        company.write_company(Path(place) / "landing", company.SIZES["XS"])
        measured(command_of_run(Path(place)))


# --- one process --------------------------------------------------------------------------------

OURS = ("apportion", "only")


def run_once(name: str, folder: Path) -> Measure:
    """Run a work on the landing files of `folder`; its results are in folder/name."""
    out = folder / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    if name not in OURS:
        return measured([sys.executable, str(PEERS_FILE), name, str(folder / "landing"), str(out)])
    # Links: Apportion only reads its landing folder.
    shutil.copytree(folder / "landing", out / "landing", copy_function=os.link)
    return measured(command_of_run(out, name))


def command_of_run(data: Path, name: str = "apportion") -> list[str]:
    """The command line of our run."""
    only = ["--only", "chargeback"] if name == "only" else []
    return [sys.executable, "-m", "dagster_project", "run", "--data", str(data), *only]


def measured(command: Sequence[str]) -> Measure:
    """Run a process to its end. Raises CalledProcessError with its output if it fails."""
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(ROOT / ".dagster"),
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[tuple[float, str]] = []

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append((time.monotonic() - started, line.rstrip()))

    listener = threading.Thread(target=listen)
    listener.start()
    # Unlike getrusage, wait4 counts one child and what it has waited for.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    listener.join()
    if process.returncode:
        output = "\n".join(line for _, line in lines[-30:])
        raise subprocess.CalledProcessError(process.returncode, list(command), output)
    return Measure(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, tuple(lines))


# --- the same figures ---------------------------------------------------------------------------

OUR_PARTS = """
    select
        invoice_number, subscription_id, product_name, charge_type, charge_start_date,
        charge_end_date, currency, organization_id, cost_center_id,
        epoch_us(snapshot_effective_at) as effective_at, billing_period,
        cast(quantity * 1000000 as bigint) as quantity,
        cast(total_cost * 1000000 as bigint) as total_cost
    from '{folder}/published/marts/billing_report.parquet'
"""
PEER_PARTS = """
    select
        #1 as invoice_number, #2 as subscription_id, #3 as product_name, #4 as charge_type,
        cast(#5 as date) as charge_start_date, cast(#6 as date) as charge_end_date,
        #7 as currency, #8 as organization_id, #9 as cost_center_id,
        epoch_us(#10) as effective_at,
        #11 as billing_period, #12 as quantity, #13 as total_cost
    from '{folder}/split.parquet'
"""
OUR_CHARGEBACK = """
    select
        billing_period, organization_id, cost_center_id, product_name, currency,
        cast(quantity * 1000000 as bigint), cast(total_cost * 1000000 as bigint)
    from '{folder}/published/marts/chargeback.parquet'
    where quantity <> 0 or total_cost <> 0
"""
PEER_CHARGEBACK = """
    select #1, #2, #3, #4, #5, #6, #7 from '{folder}/chargeback.parquet' where #6 <> 0 or #7 <> 0
"""


def compare(folder: Path, names: Sequence[str]) -> None:
    """Compare every work with the first row by row. Raises FiguresDiffer."""
    compared = [name for name in names if name != "limit"]
    with duckdb.connect() as connection:
        for ours, theirs, what in (
            (OUR_PARTS, PEER_PARTS, "parts of lines"),
            (OUR_CHARGEBACK, PEER_CHARGEBACK, "rows of the chargeback table"),
        ):
            queries = [
                (ours if name in OURS else theirs).format(folder=folder / name) for name in compared
            ]
            (expected,) = connection.execute(f"select count(*) from ({queries[0]})").fetchone() or (
                0,
            )
            for name, query in zip(compared[1:], queries[1:], strict=True):
                (count, differing) = connection.execute(
                    f"select (select count(*) from ({query})),"
                    f" (select count(*) from ({queries[0]} except all {query}))"
                ).fetchone() or (0, 0)
                if count != expected or differing or not expected:
                    raise FiguresDiffer(
                        f"{NAMES[name]} and {NAMES[compared[0]]} differ in {what}: {count:,} and"
                        f" {expected:,} rows, {differing:,} of the latter without an equal one"
                    )
            print(f"Equal in all works: {expected:,} {what}", flush=True)


# --- tables -------------------------------------------------------------------------------------


def table(works: dict[str, Work], line_count: int) -> str:
    """Medians, CPU, memory and ratios of all works."""
    reference = works.get(REFERENCE) or next(iter(works.values()))
    rows = [
        (
            NAMES[work.name],
            f"{work.seconds:,.2f}",
            f"{work.cpu_seconds:,.2f}",
            f"{work.peak_bytes / 1024**3:,.2f}",
            f"{line_count / work.seconds:,.0f}",
            f"{work.seconds / reference.seconds:,.2f}",
            f"{work.cpu_seconds / reference.cpu_seconds:,.2f}",
        )
        for work in sorted(works.values(), key=lambda each: each.seconds)
    ]
    rounds = len(reference.measures)
    header = (
        "work",
        "seconds",
        "CPU seconds",
        "peak GiB",
        "lines a second",
        f"x {NAMES[reference.name]}",
        "x its CPU",
    )
    return (
        f"{line_count:,} billing lines, {rounds} round{'s' if rounds > 1 else ''}, medians:\n\n"
        + markdown(header, rows)
    )


def table_of_steps(steps: Sequence[Step]) -> str:
    """The parts of our last run."""
    rows = [(step.name, f"{step.seconds:,.2f}") for step in steps]
    return "Steps of our last run:\n\n" + markdown(("step", "seconds"), rows)


def steps_of(measure: Measure, data: DataFolder) -> list[Step]:
    """The seconds between two printed steps, then those of rooms and of the slowest models."""
    printed: list[tuple[float, str]] = []
    for second, line in measure.lines:
        # "Forecasting   50 of 2,651 series" goes on with the step of the line before.
        if re.match(r"[A-Z][a-z]+ {2,}\S", line) and not (
            printed and line.split()[0] == printed[-1][1].split()[0]
        ):
            printed.append((second, line))
    ends = [second for second, _ in printed[1:]] + [measure.seconds]
    steps = [Step("start of the process", printed[0][0])] if printed else []
    steps += [
        # The time in a step's own line is that of the run; the row has it already.
        # The first line names the data folder, which is a temporary one.
        Step(
            "Apportion" if line.startswith("Apportion ") else " ".join(line.split())[:60],
            end - second,
        )
        for (second, line), end in zip(printed, ends, strict=True)
        if end - second >= 0.05
    ]
    models = list(_times_of_models(data))
    rooms: dict[str, float] = {}
    for step in models:
        room = _room(step.name)
        rooms[room] = rooms.get(room, 0) + step.seconds
    steps += [
        Step(f"room {name}", seconds)
        for name, seconds in sorted(rooms.items(), key=lambda each: -each[1])
        if seconds >= 0.05
    ]
    slowest = sorted(models, key=lambda step: -step.seconds)[:MODELS_SHOWN]
    return steps + [Step(f"model {step.name}", step.seconds) for step in slowest]


def _times_of_models(data: DataFolder) -> Iterator[Step]:
    """The seconds of each seed and model in the newest run, and of all data tests together."""
    import dagster as dg

    test_seconds = 0.0
    with dg.DagsterInstance.from_config(str(data.run_folder / "dagster")) as instance:
        (run,) = instance.get_runs(limit=1)
        for entry in instance.all_logs(run.run_id):
            event = entry.dagster_event
            if event is None:
                continue
            if event.is_step_materialization:
                materialization = event.step_materialization_data.materialization
                seconds = materialization.metadata.get("Execution Duration")
                if seconds is not None:
                    yield Step(materialization.asset_key.path[-1], float(seconds.value))
            elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                seconds = event.asset_check_evaluation_data.metadata.get("Execution Duration")
                test_seconds += float(seconds.value) if seconds is not None else 0
    if test_seconds:
        yield Step("data tests", test_seconds)


def _room(model: str) -> str:
    for path in (ROOT / "dbt" / "models").rglob(f"{model}.*"):
        return "/".join(path.relative_to(ROOT / "dbt" / "models").parts[:-1])
    return "data tests" if model == "data tests" else "seeds"


def table_of_growth(months: Sequence[int], lines_a_month: int, folder: Path) -> str:
    """One new month after some closed ones, against the same month alone."""
    import growth

    rows = []
    for count in months:
        print(f"Growth: one month of {lines_a_month:,} lines after {count} ...", flush=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            alone, after = growth.measure(count, lines_a_month, Path(place))
        rows.append(
            (
                str(count),
                f"{alone.seconds:,.2f}",
                f"{after.seconds:,.2f}",
                f"{after.seconds / alone.seconds:,.2f}",
                f"{after.peak_bytes / 1024**3:,.2f}",
            )
        )
    header = ("closed months", "month alone, s", "month after them, s", "ratio", "peak GiB")
    return f"One new month of {lines_a_month:,} lines:\n\n" + markdown(header, rows)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is right-aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join(
        "-" * (width + 2) if index == 0 else "-" * (width + 1) + ":"
        for index, width in enumerate(widths)
    )
    return "\n".join([line(header), rule + "|", *map(line, rows)])


# --- results.md ---------------------------------------------------------------------------------

INTRODUCTION = """# Benchmark results

Written by `make bench`; [README.md](README.md) describes the works and the data.
"""


def write_results(size: str, report: str) -> None:
    """Replace the section of a size."""
    sections = {}
    if RESULTS.exists():
        for part in re.split(r"^## ", RESULTS.read_text(encoding="utf-8"), flags=re.M)[1:]:
            title, _, body = part.partition("\n")
            sections[title.strip()] = body.strip()
    sections[size] = f"{machine()}\n\n{report}"
    ordered = sorted(sections.items(), key=lambda each: list(company.SIZES).index(each[0]))
    text = INTRODUCTION + "".join(f"\n## {title}\n\n{body}\n" for title, body in ordered)
    RESULTS.write_text(text, encoding="utf-8")


def machine() -> str:
    """Cores, memory and versions; nothing that names the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"{package} {version(package)}" for package in PACKAGES if _is_installed(package)]
    return (
        f"{cores} cores, {memory:.0f} GiB of memory, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, {', '.join(versions)}"
    )


def _is_installed(name: str) -> bool:
    if name not in PACKAGES:
        return True
    try:
        version(PACKAGES[name])
    except PackageNotFoundError:
        print(f"{NAMES[name]} is not installed and is left out: `make bench` installs it")
        return False
    return True


def _has_only() -> bool:
    """Whether a run can be limited to the chargeback tables."""
    shown = subprocess.run(
        [sys.executable, "-m", "dagster_project", "run", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return "--only" in shown.stdout


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=list(company.SIZES), default="S")
    parser.add_argument("--rounds", type=int, help="rounds; by default 3, 2 and 1 for S, M and L")
    parser.add_argument("--peers", default=",".join(PEERS), help="peers, separated by commas")
    parser.add_argument("--peers-only", action="store_true", help="without our run")
    parser.add_argument("--growth", default="", help="numbers of closed months, like 3,12,36,60")
    parser.add_argument(
        "--growth-lines", type=int, default=7_000, help="lines of a month in the growth table"
    )
    parser.add_argument("--folder", help="where to write temporary files")
    parser.add_argument("--no-results", action="store_true", help="do not write results.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
