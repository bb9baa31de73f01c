"""The Power BI project: its files fit each other, the metrics and the marts that the sample builds.

They are read as text, apart from the script that writes them.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from conftest import Company

from dagster_project import dbt_runner
from dagster_project.settings import PROJECT_ROOT

sys.path.insert(0, str(PROJECT_ROOT / "deploy" / "powerbi"))
import write_project

FOLDER = PROJECT_ROOT / "deploy" / "powerbi"
MODEL = FOLDER / "Apportion.SemanticModel" / "definition"
NO_FILE = {"currencies", "metrics"}
"""Tables that Power Query makes itself."""

MODEL_TYPES = {
    "VARCHAR": "string",
    "DATE": "dateTime",
    "TIMESTAMP": "dateTime",
    "INTEGER": "int64",
    "BIGINT": "int64",
    "BOOLEAN": "boolean",
}
"""Types of Parquet in DuckDB's words, and of Power BI. Decimals become doubles."""

COLUMN = re.compile(r"^\tcolumn (\w+)\n((?:\t\t.*\n|\n(?=\t\t))*)", re.M)
MEASURE = re.compile(r"^\tmeasure ('[^']+'|\w+) = (.+)\n", re.M)
REFERENCE = re.compile(r"(\w+)\[(\w+)\]")
RELATIONSHIP = re.compile(
    r"^relationship \w+\n\tfromColumn: (\w+)\.(\w+)\n\ttoColumn: (\w+)\.(\w+)$", re.M
)
SHOWN = re.compile(r'"(Column|Measure)": \{.+?"Entity": "(\w+)".+?"Property": "([^"]+)"', re.S)


@dataclass(frozen=True)
class Table:
    """A table of the written model."""

    types: Mapping[str, str]
    measures: Mapping[str, str]
    query: str


@pytest.fixture(scope="module")
def model() -> dict[str, Table]:
    tables = {}
    for path in (MODEL / "tables").glob("*.tmdl"):
        text = path.read_text()
        types = {}
        for name, properties in COLUMN.findall(text):
            assert f"\t\tsourceColumn: {name}\n" in properties
            (types[name],) = re.findall(r"\t\tdataType: (\w+)\n", properties)
        measures = {name.strip("'"): dax for name, dax in MEASURE.findall(text)}
        tables[path.stem] = Table(types, measures, text.partition("source =")[2])
    return tables


@pytest.fixture(scope="module")
def marts(sample_company: Company) -> duckdb.DuckDBPyConnection:
    """Views on the published Parquet files, with the keys that Power Query adds, as Power BI
    compares them: without regard to case."""
    connection = duckdb.connect()
    for table in write_project.TABLES:
        path = sample_company.data.published / "marts" / f"{table}.parquet"
        connection.execute(f"create view file_{table} as from '{path}'")
        columns = {row[0] for row in connection.execute(f"describe file_{table}").fetchall()}
        added = "".join(
            f", {' || chr(124) || '.join(parts)} as {key}"
            for key, parts in write_project.KEYS.items()
            if columns.issuperset(parts)
        )
        connection.execute(f"create view {table} as select *{added} from file_{table}")
    return connection


def relationships() -> list[tuple[str, ...]]:
    found = RELATIONSHIP.findall((MODEL / "relationships.tmdl").read_text())
    assert len(found) == (MODEL / "relationships.tmdl").read_text().count("relationship ") > 20
    return found


def test_the_project_is_written_from_the_models() -> None:
    written = write_project.project_files(dbt_runner.read_manifest())
    files = {
        str(path.relative_to(FOLDER)): path.read_text(encoding="utf-8")
        for path in FOLDER.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert files == written, "run `make powerbi`"


def test_tables_have_the_columns_and_types_of_the_published_files(
    model: dict[str, Table], marts: duckdb.DuckDBPyConnection
) -> None:
    assert model.keys() == {*write_project.TABLES, *NO_FILE}
    for table in model.keys() - NO_FILE:
        published = {
            name: "double" if kind.startswith("DECIMAL") else MODEL_TYPES[kind]
            for name, kind, *_ in marts.execute(f"describe file_{table}").fetchall()
        }
        added = {key: "string" for key in model[table].types if key.endswith("_key")}
        assert model[table].types == published | added, table
        assert f'"\\marts\\{table}.parquet"' in model[table].query
        (selected,) = re.findall(r"SelectColumns\(Source, \{(.+?)\}\)", model[table].query)
        assert selected == ", ".join(f'"{name}"' for name in published)
        assert {*re.findall(r'AddColumn\(\w+, "(\w+)"', model[table].query)} == added.keys()


def test_measures_sum_the_columns_of_their_metrics(model: dict[str, Table]) -> None:
    manifest = dbt_runner.read_manifest()
    columns_of_metrics = {}
    for semantic in manifest["semantic_models"].values():
        for measure in semantic["measures"]:
            # `case when <condition> then <column> end` sums the column where the condition is met.
            column = re.sub(r"case when .+ then (\w+) end", r"\1", measure["expr"] or "")
            columns_of_metrics[measure["name"]] = (
                semantic["node_relation"]["alias"],
                column or measure["name"],
            )
    measures = model["metrics"].measures
    assert measures.keys() == {each["label"] for each in manifest["metrics"].values()}
    for metric in manifest["metrics"].values():
        dax = measures[metric["label"]]
        for table, column in REFERENCE.findall(dax):
            assert column in model[table].types, (metric["name"], table, column)
        parts = metric["type_params"]
        named = [parts["measure"]] if metric["type"] == "simple" else []
        for each in named:
            assert "SUM({}[{}])".format(*columns_of_metrics[each["name"]]) in dax, metric["name"]
        if metric["type"] == "ratio":
            above, below = (
                re.sub(r"IF\(HASONEVALUE\(\w+\[currency\]\), (.+)\)$", r"\1", measures[label])
                for label in (
                    manifest["metrics"][f"metric.apportion.{parts[part]['name']}"]["label"]
                    for part in ("numerator", "denominator")
                )
            )
            assert f"DIVIDE({above}, {below})" in dax
        filters = (metric["filter"] or {}).get("where_filters", [])
        conditions = [each["where_sql_template"] for each in filters]
        for column in re.findall(r"__(\w+)'\)", " ".join(conditions)):
            assert f"[{column}] = " in dax, metric["name"]
        # Only licenses are summed over currencies.
        assert dax.startswith("IF(HASONEVALUE(") or metric["name"] == "cycle_licenses"


def test_no_measure_has_the_name_of_a_column_beside_it(model: dict[str, Table]) -> None:
    for table in model.values():
        names = [name.casefold() for name in (*table.types, *table.measures)]
        assert len(names) == len({*names})


def test_relationships_find_one_row_for_each_key(
    model: dict[str, Table], marts: duckdb.DuckDBPyConnection
) -> None:
    related = relationships()
    with_currency = [table for table, column, _, _ in related if column == "currency"]
    in_query = re.findall(r"(\w+)\[currency\]", model["currencies"].query)
    assert with_currency == in_query
    everywhere = " union ".join(f"select currency from {table}" for table in in_query)
    marts.execute(
        f"create or replace view currencies as from ({everywhere}) where currency is not null"
    )
    lost = []
    for table, column, dimension, key in related:
        assert column in model[table].types and key in model[dimension].types
        assert model[table].types[column] == model[dimension].types[key]
        lost += marts.execute(
            f"""
            with keys as (select lower({key}::text) as key from {dimension})
            select '{table}', '{dimension}', 'twice', key from keys group by key having count(*) > 1
            union all
            select '{table}', '{dimension}', 'null', key from keys where key is null
            union all
            select distinct '{table}', '{dimension}', 'unknown', lower({column}::text) from {table}
            where lower({column}::text) not in (select key from keys)
            """
        ).fetchall()
    assert lost == []


def test_a_table_is_related_to_a_dimension_once(
    model: dict[str, Table],
) -> None:
    pairs = [(table, dimension) for table, _, dimension, _ in relationships()]
    assert len(pairs) == len({*pairs})
    facts = model.keys() - NO_FILE - {dimension for _, dimension in pairs}
    assert facts == {table for table, _ in pairs}


def test_a_double_loses_nothing_that_is_displayed(marts: duckdb.DuckDBPyConnection) -> None:
    compared = 0
    for table in write_project.TABLES:
        for name, kind, *_ in marts.execute(f"describe {table}").fetchall():
            if not kind.startswith("DECIMAL"):
                continue
            ((exact, double),) = marts.execute(
                f"select sum({name}), sum({name}::double) from {table}"
            ).fetchall()
            if exact is not None:
                compared += 1
                assert abs(float(exact) - double) < 1e-6, (table, name)
    assert compared > 40


def test_visuals_show_columns_and_measures_of_the_model(model: dict[str, Table]) -> None:
    shown = 0
    for path in (FOLDER / "Apportion.Report").rglob("visual.json"):
        text = path.read_text()
        fields: list[tuple[Any, ...]] = SHOWN.findall(text)
        shown += len(fields)
        for kind, table, name in fields:
            there = model[table].measures if kind == "Measure" else model[table].types
            assert name in there, (path, name)
        # An amount without its currency would be blank.
        if "measure" in text.casefold():
            assert ("Column", "currencies", "currency") in fields
    assert shown > 15
    reference = json.loads((FOLDER / "Apportion.Report" / "definition.pbir").read_text())
    beside = reference["datasetReference"]["byPath"]["path"]
    assert (FOLDER / "Apportion.Report" / beside / "definition.pbism").exists()
