"""Rules that every model of the dbt project follows."""

import re
from collections.abc import Callable

import pytest
import rooms
from conftest import Company

from dagster_project import dbt_runner


@pytest.fixture(scope="module")
def empty(new_company: Callable[[], Company]) -> Company:
    """A company without landed files."""
    return new_company().build()


def test_dbt_has_the_unit_tests_that_are_found_in_the_rooms() -> None:
    in_rooms = [each.unique_id for each in rooms.unit_tests()]
    assert sorted(in_rooms) == sorted(dbt_runner.read_manifest()["unit_tests"]) != []


def test_a_folder_without_any_file_gives_empty_marts(empty: Company) -> None:
    assert empty.query("select count(*) from marts.billing_report") == [(0,)]


def test_every_column_of_a_mart_is_described_in_the_glossary() -> None:
    undescribed = [
        f"{node['name']}.{column['name']}"
        for node in dbt_runner.read_manifest()["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
        for column in node["columns"].values()
        if not re.search(r"\w", column["description"])
    ]
    assert undescribed == []
