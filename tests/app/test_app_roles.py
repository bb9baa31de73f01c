"""Roles: who is which viewer, and what a viewer tries in vain to see."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import MadeOnce
from published_company import published_company, query

from app.published import Viewer, columns_by_mart, tables
from app.roles import RolesInvalid, read_roles
from dagster_project.settings import DataFolder

BROKER = Viewer()
ORGANIZATION = Viewer("evergreen")
OWNER = Viewer("evergreen", cost_center_ids=("EVG-SALES",))
NOBODY = Viewer("evergreen", cost_center_ids=())

ROLES = """
groups_claim = "roles"

[[roles]]
people = ["Ann@Broker.example"]
broker = true
may_edit = true

[[roles]]
groups = ["evergreen-finance"]
organization = "evergreen"

[[roles]]
people = ["sam@evergreen.example"]
groups = ["evergreen-sales"]
organization = "evergreen"
cost_centers = ["EVG-SALES"]
"""


@pytest.fixture(scope="module")
def data(made_once: MadeOnce) -> DataFolder:
    return published_company(made_once)


# --- what a viewer sees -----------------------------------------------------------------------

ATTEMPTS = (
    # Columns with cost.
    "select total_cost from billing_report",
    "select total_margin from chargeback",
    "select unit_cost from billing_report",
    "select price_explanation from billing_report",
    "select pending_cost from license_pool",
    # Tables about cost.
    "select * from journal_entries",
    "select * from findings",
    "select * from invoice_reconciliation",
    "select * from forecast_accuracy",
    "select * from committed_spend",
    "select * from focus_cost_and_usage",
)
"""Attempts of organizations and owners that fail."""


@pytest.mark.parametrize(
    "viewer", [ORGANIZATION, OWNER, NOBODY], ids=["organization", "owner", "-"]
)
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_customers_and_owners_get_no_cost(data: DataFolder, viewer: Viewer, attempt: str) -> None:
    with tables(data, viewer) as connection, pytest.raises(duckdb.Error):
        connection.execute(attempt)


@pytest.mark.parametrize("viewer", [ORGANIZATION, OWNER], ids=["organization", "owner"])
def test_no_row_of_another_organization_is_in_any_table(data: DataFolder, viewer: Viewer) -> None:
    with tables(data, viewer) as connection:
        for mart in columns_by_mart(connection):
            assert "harbor" not in str(connection.execute(f"from {mart}").fetchall()).lower(), mart


def test_an_owner_sees_own_cost_centers_in_every_table(data: DataFolder) -> None:
    with tables(data, OWNER) as connection:
        marts = columns_by_mart(connection)
        assert {"billing_report", "chargeback", "statement_lines", "budget_variance"} <= {*marts}
        # The changes of a whole subscription are those of all its cost centers.
        assert "subscription_changes" not in marts
        for mart, columns in marts.items():
            rows = str(connection.execute(f"from {mart}").fetchall())
            assert "EVG-MKT" not in rows and "EVG-DEFAULT" not in rows, mart
            if "cost_center_id" in columns:
                own = connection.execute(f"select distinct cost_center_id from {mart}").fetchall()
                assert own in ([("EVG-SALES",)], []), mart


def test_an_owner_sees_shared_costs_that_are_received_or_passed_on(data: DataFolder) -> None:
    counts = {}
    for center in ("EVG-SALES", "EVG-MKT", "EVG-DEFAULT"):
        with tables(data, Viewer("evergreen", cost_center_ids=(center,))) as connection:
            (counts[center],) = connection.execute("select count(*) from shared_costs").fetchone()
    assert counts["EVG-SALES"] == 0 and counts["EVG-MKT"] == counts["EVG-DEFAULT"] == 1


def test_an_owner_sees_own_subscriptions(data: DataFolder) -> None:
    with tables(data, OWNER) as connection:
        rows = connection.execute("select subscription_id from dim_subscription").fetchall()
    # Power BI is in Default.
    assert rows == [("123",)]


def test_the_units_of_all_owners_sum_to_those_of_the_organization(data: DataFolder) -> None:
    queries = {
        "unit_charges": """
            select
                billing_period, currency, unit_kind, unit_id, sum(charged_amount),
                sum(own_charged_amount), sum(billed_amount), sum(budget), sum(budget_variance)
            """,
        "unit_quantities": """
            select billing_period, unit_kind, unit_id, product_name, quantity_unit, sum(quantity)
            """,
    }
    with tables(data, ORGANIZATION) as connection:
        ids = connection.execute("select distinct cost_center_id from unit_members").fetchall()
        expected = {
            name: connection.execute(f"{query} from {name} group by all order by all").fetchall()
            for name, query in queries.items()
        }
        columns = {name: connection.table(name).columns for name in queries}
    for name, sums_of in queries.items():
        with duckdb.connect() as sums:
            for number, (center,) in enumerate(ids):
                with tables(data, Viewer("evergreen", cost_center_ids=(center,))) as connection:
                    assert connection.table(name).columns == columns[name]
                    rows = connection.execute(f"from {name}").to_arrow_table()
                sums.register(f"own_{number}", rows)
            every = " union all ".join(f"from own_{number}" for number in range(len(ids)))
            found = sums.execute(f"{sums_of} from ({every}) group by all order by all").fetchall()
        assert found == expected[name] and len(found) > 5, name
    # By hand: Sales and Marketing are in Commerce; Sales alone is charged 650,000 in February.
    with tables(data, OWNER) as connection:
        assert connection.execute(
            "select unit_id, cost_center_count, charged_amount from unit_charges"
            " where billing_period = '2026-02' and unit_kind = 'business_unit'"
        ).fetchall() == [("Commerce", 1, 650000)]


@pytest.mark.parametrize("ids", [(), ("HAR-1",), ("evg-sales",), ("EVG-SALES' or 'a' = 'a",)])
def test_without_own_cost_centers_there_is_nothing(data: DataFolder, ids: tuple[str, ...]) -> None:
    with tables(data, Viewer("evergreen", cost_center_ids=ids)) as connection:
        for mart, columns in columns_by_mart(connection).items():
            if "cost_center_id" in columns or mart == "shared_costs":
                assert connection.execute(f"select count(*) from {mart}").fetchone() == (0,), mart


def test_the_amounts_of_all_owners_are_those_of_the_organization(data: DataFolder) -> None:
    total = "select sum(sales_after_sharing) from chargeback"
    with tables(data, ORGANIZATION) as connection:
        expected = connection.execute(total).fetchone()
        ids = connection.execute("select distinct cost_center_id from chargeback").fetchall()
    sums = []
    for (center,) in ids:
        with tables(data, Viewer("evergreen", cost_center_ids=(center,))) as connection:
            sums.append(connection.execute(total).fetchone()[0])
    assert (sum(sums),) == expected


def test_the_broker_sees_all(data: DataFolder) -> None:
    with tables(data, BROKER) as connection:
        rows = connection.execute("select sum(total_cost) from billing_report").fetchall()
    assert rows == query(data, "select sum(total_cost) from billing_report")


def test_a_viewer_is_consistent() -> None:
    with pytest.raises(ValueError, match="organization"):
        Viewer(cost_center_ids=("EVG-SALES",))
    with pytest.raises(ValueError, match="never edit"):
        Viewer("evergreen", may_edit=True, cost_center_ids=("EVG-SALES",))
    assert Viewer(may_edit=True).may_run
    assert not Viewer().may_run and not Viewer("evergreen", may_edit=True).may_run


# --- who is which viewer ----------------------------------------------------------------------


def viewers(folder: Path, claims: Mapping[str, Any], text: str = ROLES) -> list[Viewer]:
    (folder / "roles.toml").write_text(text)
    roles = read_roles(DataFolder(folder))
    assert roles is not None
    return [role.viewer for role in roles.of(claims)]


def verified(address: str, **more: object) -> dict[str, object]:
    return {"email": address, "email_verified": True, **more}


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (verified("ann@broker.example"), [Viewer(may_edit=True)]),
        (verified("kim@evergreen.example", roles=["evergreen-finance"]), [ORGANIZATION]),
        (verified("SAM@evergreen.example"), [OWNER]),
        ({"sub": "1", "roles": ["evergreen-sales"]}, [OWNER]),
        (verified("sam@evergreen.example", roles=["evergreen-finance"]), [ORGANIZATION, OWNER]),
    ],
)
def test_people_and_groups_have_their_roles(
    tmp_path: Path, claims: Mapping[str, Any], expected: list[Viewer]
) -> None:
    assert viewers(tmp_path, claims) == expected


@pytest.mark.parametrize(
    "claims",
    [
        {},
        verified("mallory@broker.example"),
        {"email": "ann@broker.example"},
        {"email": "ann@broker.example", "email_verified": False},
        {"email": "ann@broker.example", "email_verified": "false"},
        {"email": ["ann@broker.example"], "email_verified": True},
        {"name": "ann@broker.example", "preferred_username": "ann@broker.example"},
        verified("ann@broker.example.evil.example"),
        verified("x", groups=["evergreen-finance"]),
        verified("x", roles="evergreen-finance"),
        verified("x", roles=["Evergreen-Finance", None, 7]),
        verified(""),
    ],
)
def test_others_have_none(tmp_path: Path, claims: Mapping[str, Any]) -> None:
    assert viewers(tmp_path, claims) == []


def test_another_claim_can_name_people(tmp_path: Path) -> None:
    text = 'person_claim = "oid"\n[[roles]]\npeople = ["7f-1"]\nbroker = true'
    assert viewers(tmp_path, {"oid": "7f-1"}, text) == [BROKER]
    assert viewers(tmp_path, verified("7f-1"), text) == []
    assert viewers(tmp_path, {"oid": "7F-1"}, text) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[roles]", "not valid TOML"),
        ("[[roles]]\nbroker = true", "people or groups"),
        ('[[roles]]\npeople = ["a"]', "either broker"),
        ('[[roles]]\npeople = ["a"]\nbroker = true\norganization = "x"', "either broker"),
        ('[[roles]]\npeople = ["a"]\norganization = ""', "organization"),
        ('[[roles]]\npeople = ["a"]\norganization = "x"\ncost_centers = []', "is empty"),
        (
            '[[roles]]\npeople = ["a"]\norganization = "x"\ncost_centers = ["y"]\nmay_edit = true',
            "not for cost_centers",
        ),
        ('[[roles]]\npeople = [""]\ngroups = ["g"]\nbroker = true', "a name is empty"),
        ('[[roles]]\npeople = ["a"]\nbroker = true\ncost_centers = ["x"]', "organization"),
        ('[[roles]]\npeople = ["a"]\nbroker = true\ncost_centre = ["x"]', "cost_centre"),
    ],
)
def test_a_file_with_a_fault_gives_nobody_a_role(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "roles.toml").write_text(text)
    with pytest.raises(RolesInvalid, match=reason):
        read_roles(DataFolder(tmp_path))


def test_without_a_file_there_are_no_roles(tmp_path: Path) -> None:
    assert read_roles(DataFolder(tmp_path)) is None


def test_a_person_is_known_by_the_id_of_the_provider_and_not_by_a_name(tmp_path: Path) -> None:
    (tmp_path / "roles.toml").write_text('two_people = ["evergreen"]\n' + ROLES)
    roles = read_roles(DataFolder(tmp_path))
    assert roles is not None
    assert roles.need_approval("evergreen") and not roles.need_approval("harbor")
    ann = roles.person(verified("Ann@Broker.example", sub="a1", name="Ann"))
    assert (ann.name, ann.id) == ("ann@broker.example", "a1")
    eve = roles.person({"email": "ann@broker.example", "sub": "e5", "name": "Ann\nB"})
    assert (eve.name, eve.id) == ("Ann B", "e5")
    assert not eve.is_same_as(ann.name, ann.id) and ann.is_same_as("renamed", "a1")
    assert roles.person({"sub": "x"}).name == "x"
