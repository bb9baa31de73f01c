"""Rules for the structure of the dbt project that dbt-bouncer (`make lint`) does not check."""

from collections.abc import Iterator
from typing import Any

from dagster_project import dbt_runner
from dagster_project.settings import DBT_FOLDER

MOST_REFS = 7
UNIONS = {"int_findings", "int_unusable_rows"}
"""Models that only stack other models, of which there may be any number."""

WIDEST_LINE = 120


def models() -> list[dict[str, Any]]:
    nodes = dbt_runner.read_manifest()["nodes"].values()
    return [node for node in nodes if node["resource_type"] == "model"]


def refs(model: dict[str, Any]) -> set[str]:
    return {name for name in model["depends_on"]["nodes"] if not name.startswith("source.")}


def test_a_model_that_is_no_union_has_at_most_seven_refs() -> None:
    assert {each["name"] for each in models() if len(refs(each)) > MOST_REFS} == UNIONS


def test_an_intermediate_model_describes_the_columns_that_others_build_on() -> None:
    undescribed = [
        each["name"]
        for each in models()
        if each["fqn"][1] == "intermediate"
        # All findings have the columns that int_findings describes.
        and not each["name"].startswith("int_findings_")
        and not any(column["description"].strip() for column in each["columns"].values())
    ]
    assert undescribed == []


def test_no_column_is_listed_without_a_description() -> None:
    undescribed = [
        f"{each['name']}.{column['name']}"
        for each in models()
        for column in each["columns"].values()
        if not column["description"].strip()
    ]
    assert undescribed == []


def yaml_lines() -> Iterator[tuple[str, str]]:
    for path in sorted(DBT_FOLDER.rglob("*.yml")):
        if "target" not in path.relative_to(DBT_FOLDER).parts:
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                yield f"{path.relative_to(DBT_FOLDER)}:{number}", line


def test_no_line_of_yaml_is_wider_than_120_columns() -> None:
    lines = list(yaml_lines())
    assert lines
    assert [place for place, line in lines if len(line) > WIDEST_LINE] == []
