"""Quoted names and values reach DuckDB as they are, and are quoted in one place only."""

import ast
from collections.abc import Iterator
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


def templates(path: Path) -> Iterator[ast.JoinedStr]:
    """The statements in a module into which something is inserted."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr) and is_statement(node):
            yield node


def is_statement(node: ast.JoinedStr) -> bool:
    text = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
    first = (text.split() or [""])[0].lower()
    return first in VERBS and text.strip().lower() != first


VERBS = frozenset(
    (
        *("alter", "attach", "comment", "copy", "create", "delete", "describe", "detach", "drop"),
        *("from", "insert", "pragma", "select", "set", "update", "use", "where", "with"),
    )
)


def pasted(node: ast.JoinedStr) -> Iterator[str]:
    """What a statement inserts between quotes, where a quote in it would end the text."""
    before = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            before += str(part.value)
        elif before.count("'") % 2 or before.count('"') % 2:
            what = ast.unparse(part)
            # A constant of our own, like the version of the storage.
            if not what.strip("{}").isupper():
                yield what


def test_nothing_is_pasted_between_quotes_of_a_statement() -> None:
    """Names and values come from sql_identifier, sql_literal or parameters."""
    paths = [
        path
        for folder in ("dagster_project", "app")
        for path in sorted((PROJECT_ROOT / folder).rglob("*.py"))
    ]
    found = [
        f"{path.relative_to(PROJECT_ROOT)}:{node.lineno}: {what}"
        for path in paths
        for node in templates(path)
        for what in pasted(node)
    ]
    assert found == []
    assert sum(1 for path in paths for _ in templates(path)) > 100, "statements are not recognized"


@pytest.mark.parametrize("statement", ["select 1 from t where a = '{name}'", 'drop table "{name}"'])
def test_a_pasted_value_is_found(statement: str) -> None:
    (node,) = (
        each
        for each in ast.walk(ast.parse(f"f{statement!r}"))
        if isinstance(each, ast.JoinedStr) and is_statement(each)
    )
    assert list(pasted(node)) == ["{name}"]
