"""How dbt is run inside our process: on a project of one model, which parses in no time."""

from pathlib import Path

import pytest
from conftest import Company

from dagster_project import dbt_runner

PROJECT = """
name: tiny
version: "1.0"
profile: apportion
models: {+materialized: "{{ var('shape', 'table') }}"}
flags: {send_anonymous_usage_stats: false}
"""
PROFILES = """
apportion:
  target: duckdb
  outputs:
    duckdb: {type: duckdb, path: "{{ env_var('APPORTION_DATA') }}/warehouse.duckdb"}
"""


@pytest.fixture
def project(tmp_path: Path, company: Company, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the project, which is parsed."""
    folder = tmp_path / "dbt"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILES)
    (folder / "models" / "seats.sql").write_text("select 1 as seats")
    for name in ("PARSED_FOLDER", "MANIFEST", "PARSED", "FINGERPRINT"):
        path = getattr(dbt_runner, name).relative_to(dbt_runner.DBT_FOLDER)
        monkeypatch.setattr(dbt_runner, name, folder / path)
    monkeypatch.setattr(dbt_runner, "DBT_FOLDER", folder)
    company.data.root.mkdir()
    monkeypatch.setenv("APPORTION_DATA", str(company.data.root))
    dbt_runner.prepared_manifest()
    return folder


def has_parsed(company: Company, *arguments: str) -> bool:
    """Run dbt on a company; returns whether it had to parse the project for that."""
    target = company.data.root / f"target {len(list(company.data.root.iterdir()))}"
    outcome = dbt_runner.invoke(arguments, company.data, target)
    assert outcome.is_success, outcome.failures
    return (target / "partial_parse.msgpack").exists()


def test_a_project_is_parsed_once_and_built_as_it_was_parsed(
    project: Path, company: Company
) -> None:
    for _ in range(2):
        assert not has_parsed(company, "build")
        assert company.query("select seats from seats") == [(1,)]


def test_a_project_that_has_changed_is_parsed_again(project: Path, company: Company) -> None:
    (project / "models" / "more.sql").write_text("select seats + 1 as n from {{ ref('seats') }}")
    (project / "models" / "seats.sql").write_text("select 2 as seats")
    assert has_parsed(company, "build")
    assert company.query("select n from more") == [(3,)]


def test_changed_variables_are_parsed_again(project: Path, company: Company) -> None:
    shape = "select table_type from information_schema.tables where table_name = 'seats'"
    assert has_parsed(company, "build", "--vars", "{shape: view}")
    assert company.query(shape) == [("VIEW",)]
    assert not has_parsed(company, "build")
    assert company.query(shape) == [("BASE TABLE",)]


def test_a_manifest_of_another_dbt_version_is_parsed_again(
    project: Path, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_runner, "version", lambda package: "2.0")
    assert has_parsed(company, "build")


def test_a_manifest_parsed_by_hand_is_not_built(project: Path, company: Company) -> None:
    model = project / "models" / "seats.sql"
    before = model.read_text()
    model.write_text("select 99 as seats")
    # As `dbt build` typed in the project's folder: its own target folder.
    dbt_runner.invoke(["build"], company.data, project / "target")
    assert company.query("select seats from seats") == [(99,)]
    model.write_text(before)
    has_parsed(company, "build")
    assert company.query("select seats from seats") == [(1,)]
