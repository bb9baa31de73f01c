"""A room's tests are found by its name."""

import subprocess
import sys

import pytest
import rooms

from dagster_project.settings import PROJECT_ROOT

# These have no tests of their own: the rooms pipeline, report and exports test them.
WITHOUT_TESTS = {"assets", "accounting"}


def test_a_room_of_models_and_files_has_its_folder_and_its_unit_tests() -> None:
    assert rooms.tests_of("ledger") == [rooms.TESTS / "ledger", rooms.UNIT_TESTS]


def test_a_room_of_models_alone_has_its_unit_tests() -> None:
    assert rooms.tests_of("organizations") == [rooms.UNIT_TESTS]


def test_a_room_of_files_alone_has_its_folder() -> None:
    assert rooms.tests_of("feeds") == [rooms.TESTS / "feeds"]


def test_every_package_and_every_folder_of_models_is_a_room() -> None:
    packages = {path.parent.name for path in PROJECT_ROOT.glob("dagster_project/*/__init__.py")}
    models = {path.parent.name for path in PROJECT_ROOT.glob("dbt/models/*/*/*.sql")}
    assert (packages | models) - set(rooms.rooms()) == WITHOUT_TESTS


def test_every_test_is_in_a_room() -> None:
    assert set(rooms.TESTS.glob("test_*.py")) == {rooms.UNIT_TESTS}


def test_an_unknown_room_is_an_error_that_lists_the_rooms() -> None:
    with pytest.raises(rooms.UnknownRoom) as error:
        rooms.tests_of("cellar")
    message = str(error.value)
    assert message.startswith('there is no room "cellar"; the rooms are api, app, ')
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--room", "cellar"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert run.stderr.strip() == f"ERROR: {message}"
