"""The same company on DuckDB and on Apache Spark: every table equal, row by row.

`make test-spark` starts this in an environment of its own. It reads the warehouse that a run built
with DuckDB, gives Spark the raw tables and the seeds, builds all models with dbt, and compares.
pytest does not collect this file: its packages are not those of `make test`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import jinja2

from dagster_project.settings import DBT_FOLDER
from dagster_project.spark import forecasts
from dagster_project.spark import session as spark_session
from dagster_project.spark.worker import COMPUTED, Dbt, Tables

UNEQUAL: set[str] = set()
"""Tables that are known to differ. One that becomes equal fails the test, until it leaves here."""

SERIES = "intermediate.int_forecast_series"
"""What the one model in Python reads: its forecasts are computed by a grouped map."""

RANDOM_NUMBERS = 20_000

EXPRESSIONS = {
    "part": "prorated_part('amount', 'low', 'high', 'total', narrow_limit('total'))",
    "wide_part": "prorated_part('amount', 'low', 'high', 'total', '0')",
    "unrounded": "unrounded_part('amount', 'low', 'high', 'total', narrow_limit('total'))",
    "share": "cumulative_share('high', 'total')",
    "units": "basis_units('abs(amount)', 'abs(amount)')",
    "limit": "narrow_limit('total')",
    "per_unit": "amount_per_unit('amount', 'quantity')",
    "cost": "part_of_charge('amount', 'quantity', '(abs(quantity) + 1)')",
    "percent": "with_percent('amount', 'percent')",
    "converted": "in_other_currency('amount', 'rate', '(rate + 1)')",
    "prorated": "prorated_price('abs(amount)', 'abs(quantity)', 'day', '31')",
    "product": "exact_product('cast(amount as decimal(38, 18))', 'quantity')",
    "quotient": "exact_quotient('cast(null as decimal(38, 18))', 'amount', 'quantity')",
    "long_quotient": "exact_quotient('exact', 'amount', 'quantity')",
    "measure": "measure('exact')",
    "millionths": "whole_millionths('amount')",
    "cut": "cut_units('amount', 'decimals')",
    "remainder": "cut_remainder('amount', 'decimals')",
    "text": "plain_number('amount')",
    "square": "squared('amount')",
    "wide_square": "squared('cast(amount as decimal(38, 10)) * 1000')",
    "weighted": "weighted(squared('amount'), 'cast(percent * 0.0025 as decimal(10, 8))')",
    "weight": (
        "weight_of_variance('day', '(day + 334)', 'cast(percent * 0.01 as decimal(18, 10))')"
    ),
}
"""The macros that round, each with arguments."""


class Company:
    """A company that a run has built with DuckDB, and its tables on Spark."""

    def __init__(self, warehouse: Path, folder: Path, session: Any) -> None:
        self.duckdb = duckdb.connect(str(warehouse), read_only=True)
        self.folder = folder
        self.session = session

    def give_raw_tables_and_seeds(self) -> None:
        tables = Tables(self.session, self.duckdb, self.folder)
        tables.create_schemas()
        tables.give_raw_tables_and_seeds()

    def tables(self, *schemas: str) -> list[tuple[str, str]]:
        marks = ", ".join("?" for _ in schemas)
        return self.duckdb.execute(
            "select table_schema, table_name from information_schema.tables"
            f" where table_schema in ({marks}) order by all",
            schemas,
        ).fetchall()

    def differences(self) -> Iterator[tuple[str, str]]:
        """Each table that differs, and how; every table is compared, whatever others do."""
        for schema, table in self.tables(*COMPUTED):
            difference = self.difference(schema, table)
            if difference:
                yield table, difference

    def difference(self, schema: str, table: str) -> str:
        columns = [
            name
            for (name,) in self.duckdb.execute(
                f"select column_name from (describe {schema}.{table})"
            ).fetchall()
        ]
        try:
            computed = self.session.table(f"{schema}.{table}")
        except Exception as error:
            return f"is not on Spark: {str(error).splitlines()[0]}"
        if set(computed.columns) != set(columns):
            return f"has other columns: {sorted(set(computed.columns) ^ set(columns))}"
        path = self.folder / "compared"
        shutil.rmtree(path, ignore_errors=True)
        computed.select(*columns).coalesce(1).write.parquet(str(path))
        # Values are compared as text: a decimal with other decimals differs, a bigint that is an
        # integer on the other engine does not.
        texts = ", ".join(f'cast("{name}" as varchar) as "{name}"' for name in columns)
        ours = f"select {texts} from {schema}.{table}"
        theirs = f"select {texts} from '{path}/*.parquet'"
        only_ours, only_theirs = (
            self.duckdb.execute(f"select * from ({one} except all {other})").fetchall()
            for one, other in ((ours, theirs), (theirs, ours))
        )
        if not only_ours and not only_theirs:
            return ""
        first = next(iter(only_ours), None), next(iter(only_theirs), None)
        return (
            f"{len(only_ours)} rows only in DuckDB, {len(only_theirs)} only in Spark;"
            f" for example {first[0]} and {first[1]}"
        )


def rounding_sql(engine: str) -> str:
    """One statement with all macros that round, dispatched to one engine as dbt does."""
    macros = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((DBT_FOLDER / "macros").glob("*.sql"))
        if path.name not in ("spark_adapter.sql", "generate_schema_name.sql")
    )
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])

    class Adapter:
        @staticmethod
        def dispatch(name: str) -> Any:
            return getattr(module, f"{engine}__{name}")

    names = {"adapter": Adapter, "return": lambda value: value}
    module = environment.from_string(macros, globals=names).module
    columns = ", ".join(f"{{{{ {call} }}}} as {name}" for name, call in EXPRESSIONS.items())
    statement = f"select place, {columns} from numbers order by place"
    return environment.from_string(macros + statement, globals=names).render()


def random_numbers(count: int) -> list[tuple[Any, ...]]:
    source = Random(20261127)
    rows = []
    for place in range(count):
        total = source.choice((1, 2, 3, 7, 30, 31, 365, 1000, 10**6, 10**8, 4 * 10**12))
        low, high = sorted(source.randint(0, total) for _ in range(2))
        decimals = source.choice((2, 6, 10))
        size = 10 ** source.randint(1, 12 + decimals)
        rows.append(
            (
                place,
                Decimal(source.randrange(-size, size)).scaleb(-decimals),
                Decimal(source.randrange(-(10**17), 10**17)).scaleb(-source.choice((10, 11, 18))),
                low,
                high,
                total,
                Decimal(source.choice((0, 1, -3, source.randrange(1, 10**11)))).scaleb(
                    -source.choice((0, 0, 1, 3))
                ),
                Decimal(source.randrange(10**6)).scaleb(-4),
                Decimal(source.randrange(1, 10**9)).scaleb(-6),
                source.randint(1, 31),
                source.choice((0, 2, 3)),
            )
        )
    return rows


TYPES = {
    "place": "bigint",
    "amount": "decimal(28, 10)",
    "exact": "decimal(38, 18)",
    "low": "bigint",
    "high": "bigint",
    "total": "bigint",
    "quantity": "decimal(28, 10)",
    "percent": "decimal(28, 10)",
    "rate": "decimal(28, 10)",
    "day": "bigint",
    "decimals": "int",
}


def rounding_differences(folder: Path, session: Any) -> Iterator[str]:
    """The random numbers for which a macro that rounds differs between the engines."""
    connection = duckdb.connect()
    columns = ", ".join(f"{name} {type_}" for name, type_ in TYPES.items())
    connection.execute(f"create table numbers ({columns})")
    path = folder / "numbers.csv"
    lines = (",".join(map(str, row)) for row in random_numbers(RANDOM_NUMBERS))
    path.write_text("\n".join(lines) + "\n")
    connection.execute(f"copy numbers from '{path}' (header false)")
    parquet = folder / "numbers.parquet"
    connection.execute(f"copy numbers to '{parquet}' (format parquet)")
    session.read.parquet(str(parquet)).createOrReplaceTempView("numbers")
    ours = connection.execute(rounding_sql("duckdb")).fetchall()
    theirs = session.sql(rounding_sql("spark")).collect()
    names = ("place", *EXPRESSIONS)
    if len(ours) != RANDOM_NUMBERS or len(theirs) != RANDOM_NUMBERS:
        yield f"{len(ours)} and {len(theirs)} rows, not {RANDOM_NUMBERS}"
    for one, other in zip(ours, theirs, strict=True):
        for name, mine, its in zip(names, one, other, strict=True):
            if mine != its:
                yield f"{name} of number {one[0]} is {mine} on DuckDB and {its} on Spark"


def too_few_tasks(session: Any) -> Iterator[str]:
    """Why the forecasts are not spread over tasks, if they are not."""
    from pyspark.sql import functions

    computed = forecasts.of_table(session.table(SERIES), "fast")
    by_task = computed.groupBy(functions.spark_partition_id()).count().collect()
    if len(by_task) < forecasts.FEWEST_TASKS:
        yield f"{len(by_task)} tasks have computed all forecasts"


def accepted_settings(session: Any, dbt: Dbt) -> Iterator[str]:
    """The wrong settings of a session that dbt does not refuse by name."""
    for name, (needed, _) in spark_session.SETTINGS.items():
        # dbt-spark sets ANSI mode again in each connection: see accepted_by_hand.
        if name != spark_session.ANSI:
            wrong = {"false": "true", "UTC": "Europe/Berlin"}.get(needed, "TIMESTAMP_LTZ")
            session.conf.set(name, wrong)
            failures = dbt.invoke("test", "--select", "int_forecast_origins")
            session.conf.set(name, needed)
            if f"{name} is {wrong}" not in " ".join(failures):
                yield f"{name} is {wrong}: {failures or 'accepted'}"


def accepted_by_hand(folder: Path) -> Iterator[str]:
    """Whether dbt on its own command line, where only ANSI mode is wrong, is not refused."""
    settings = [
        f"--conf {name}={needed}"
        for name, (needed, _) in spark_session.SETTINGS.items()
        if name != spark_session.ANSI
    ]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "run", "--target", "spark", "--quiet"),
            *("--project-dir", str(DBT_FOLDER), "--profiles-dir", str(DBT_FOLDER)),
            *("--target-path", str(folder / "by-hand"), "--log-path", str(folder / "logs")),
            *("--select", "int_forecast_origins"),
        ],
        env={
            **os.environ,
            "PYSPARK_SUBMIT_ARGS": " ".join(["--master local[1]", *settings, "pyspark-shell"]),
        },
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode == 0 or f"{spark_session.ANSI} is false, not true" not in done.stdout:
        yield f"dbt run --target spark: {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("warehouse", type=Path)
    arguments.add_argument("folder", type=Path)
    chosen = arguments.parse_args()
    folder: Path = chosen.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    begun = time.monotonic()
    failures: list[str] = []

    def step(name: str, found: list[str]) -> None:
        print(
            f"{time.monotonic() - begun:6.0f} s  {name}: {len(found) or 'no'} failures", flush=True
        )
        for each in found:
            print(f"          {each}", flush=True)
        failures.extend(found)

    session = spark_session.start(folder)
    dbt = Dbt(folder, on_event=lambda event: None)
    step("rounding macros on random numbers", list(rounding_differences(folder, session))[:20])
    company = Company(chosen.warehouse, folder, session)
    company.give_raw_tables_and_seeds()
    step("models", dbt.invoke("run"))
    spark_session.check_session(session)
    differing = dict(company.differences())
    step(
        f"{len(company.tables(*COMPUTED))} tables compared",
        [f"{name}: {how}" for name, how in differing.items() if name not in UNEQUAL]
        + [f"{name} is equal now: take it out of UNEQUAL" for name in UNEQUAL - set(differing)],
    )
    step("forecasts by several tasks", list(too_few_tasks(session)))
    step("data tests", dbt.invoke("test", "--exclude-resource-type", "unit_test"))
    step("unit tests", dbt.invoke("test", "--resource-type", "unit_test"))
    step("wrong settings that dbt accepts", list(accepted_settings(session, dbt)))
    session.stop()
    step("dbt by hand", list(accepted_by_hand(folder)))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
