"""The unit tests of the dbt models, each a case of its own.

dbt runs all that are asked for at once: to start it for each would take longer than the tests.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import builds
import pytest
import rooms
from conftest import Company

from dagster_project import dbt_runner


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case per unit test, of the room that is asked for or of all."""
    if "unit_test" in metafunc.fixturenames:
        room = metafunc.config.getoption("room")
        cases = [each for each in rooms.unit_tests() if room in (None, each.room)]
        names = [f"{each.room}: {each.model}: {each.name}" for each in cases]
        metafunc.parametrize("unit_test", cases, ids=names)


def selected_cases(session: pytest.Session) -> list[rooms.UnitTest]:
    """The unit tests that this session runs, e.g. after `-k`."""
    return [
        item.callspec.params["unit_test"]
        for item in session.items
        if isinstance(item, pytest.Function) and item.function is test_a_unit_test_of_a_model_passes
    ]


@dataclass(frozen=True)
class Results:
    """The results of dbt's unit tests: the status of each by its unique id, and the reason."""

    status: Mapping[str, str]
    failures: Sequence[str]


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest, new_company: Callable[[], Company]) -> Results:
    cases = selected_cases(request.session)
    # dbt asks the warehouse which columns the inputs of a tested model have.
    company = new_company().build(*builds.MODELS_ONLY)
    status: dict[str, str] = {}

    def keep(event: dbt_runner.DbtEvent) -> None:
        status[event["data"]["node_info"]["unique_id"]] = event["data"]["status"]

    outcome = dbt_runner.invoke(
        ["test", "--no-write-json", "--select", *(f"test_name:{each.name}" for each in cases)],
        company.data,
        company.data.run_folder / "dbt",
        keep,
    )
    return Results(status, outcome.failures)


def test_a_unit_test_of_a_model_passes(results: Results, unit_test: rooms.UnitTest) -> None:
    reasons = [each for each in results.failures if each.startswith(f"{unit_test.name}: ")]
    assert results.status.get(unit_test.unique_id) == "pass", "\n".join(reasons or results.failures)
