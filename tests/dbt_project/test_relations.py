"""The relations that Python reads by name: one list, in the manifest, under a contract."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagster_project import dbt_runner, relations
from dagster_project.settings import PROJECT_ROOT

MODEL_NAME = re.compile(r"\b(?:stg|int)_[a-z]\w*")
LISTING = Path(relations.__file__)


@pytest.fixture(scope="module")
def models() -> dict[str, dict[str, Any]]:
    """The models of the manifest, as `schema.model`."""
    return {
        f"{node['schema']}.{node['name']}": node
        for node in dbt_runner.read_manifest()["nodes"].values()
        if node["resource_type"] == "model"
    }


def python_files() -> Iterator[Path]:
    for folder in ("dagster_project", "app"):
        yield from sorted((PROJECT_ROOT / folder).rglob("*.py"))


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of the strings of a module, docstrings apart."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in docstrings:
            continue
        if isinstance(node.value, str):
            yield node.lineno, node.value


@pytest.mark.parametrize("relation", relations.RELATIONS)
def test_a_relation_is_a_model_with_an_enforced_contract(
    models: dict[str, dict[str, Any]], relation: str
) -> None:
    assert relation in models, f"{relation} is no model: rename it in relations.py"
    model = models[relation]
    assert model["config"]["contract"]["enforced"]
    assert model["columns"]
    for column in model["columns"].values():
        assert column["data_type"], column["name"]
        assert column["description"], column["name"]


def test_the_list_has_every_name_once() -> None:
    names = [value for name, value in vars(relations).items() if name.isupper()]
    named = [value for value in names if isinstance(value, str)]
    assert sorted(relations.RELATIONS) == sorted(named)
    assert len(set(named)) == len(named)


def test_models_are_named_in_the_list_only() -> None:
    elsewhere = [
        f"{path.relative_to(PROJECT_ROOT)}:{line}: {found.group()}"
        for path in python_files()
        if path != LISTING
        for line, text in strings(path)
        for found in MODEL_NAME.finditer(text)
    ]
    assert elsewhere == []


def test_every_listed_relation_is_read() -> None:
    used = "\n".join(path.read_text(encoding="utf-8") for path in python_files() if path != LISTING)
    constants = [name for name in vars(relations) if name.isupper() and name != "RELATIONS"]
    assert [name for name in constants if f"relations.{name}" not in used] == []
