"""Quoted names and values reach DuckDB as they are, and are quoted in one place only."""

from pathlib import Path

import duckdb
import pytest

from dagster_project import quoting
from dagster_project.quoting import sql_identifier, sql_literal
from dagster_project.settings import PROJECT_ROOT

AWKWARD = [
    "plain",
    "it's",
    '5" screen',
    "'; drop table bills; --",
    " spaces ",
    "line\nbreak",
    "ß",
    "",
]


@pytest.mark.parametrize("text", AWKWARD)
def test_a_literal_evaluates_to_its_text(text: str) -> None:
    assert duckdb.execute(f"select {sql_literal(text)}").fetchone() == (text,)


@pytest.mark.parametrize("name", [each for each in AWKWARD if each])
def test_an_identifier_refers_to_its_column(name: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"create schema {sql_identifier(name)}")
        table = sql_identifier(name, name)
        connection.execute(f"create table {table} ({sql_identifier(name)} integer)")
        connection.execute(f"insert into {table} values (1)")
        found = connection.execute(f"select {sql_identifier(name)} from {table}")
        assert [column[0] for column in found.description] == [name]
        assert found.fetchall() == [(1,)]


def test_a_path_with_an_apostrophe_can_be_attached(tmp_path: Path) -> None:
    database = tmp_path / "ada's bills.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"attach {sql_literal(database)} as bills")
    assert database.exists()


def test_quotes_are_doubled_in_one_module_only() -> None:
    doubling = [
        str(path.relative_to(PROJECT_ROOT))
        for folder in ("dagster_project", "app")
        for path in sorted((PROJECT_ROOT / folder).rglob("*.py"))
        if any(written in path.read_text(encoding="utf-8") for written in ("\"''\"", "'\"\"'"))
    ]
    assert doubling == [str(Path(quoting.__file__).relative_to(PROJECT_ROOT))]
