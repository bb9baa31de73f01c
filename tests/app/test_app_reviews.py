"""Reviews of findings: their record, their keys, and what a page shows of them."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import MadeOnce
from published_company import copied, published_company

from app.cures import CURES, address_of, cure_of
from app.published import Viewer, tables
from app.queries import review
from app.queries.query import Row, Selection, fetch
from dagster_project import reviews
from dagster_project.records import Person, RecordDamaged
from dagster_project.reviews import NotAcceptable
from dagster_project.seeds import seed_values
from dagster_project.settings import FEEDS, DataFolder

ANN = Person("ann@broker.example", "a1")
TODAY = date(2026, 2, 10)
EVERYTHING = Selection("2026-02")
FINDINGS_TABLE = """
    create table findings (
        severity varchar, kind varchar, message varchar, meaning varchar, organization_id varchar,
        organization_name varchar, amount_at_stake decimal(28, 10), currency varchar,
        subscription_id varchar, billing_period varchar
    )
    """


@pytest.fixture(scope="module")
def data(made_once: MadeOnce, tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """A published company whose findings tests may replace."""
    return copied(published_company(made_once), tmp_path_factory.mktemp("reviews") / "data")


def found(
    data: DataFolder, state: str = "all", reviewed: review.Reviewed | None = None
) -> list[Row]:
    states = reviews.states(reviews.read(data)) if reviewed is None else reviewed
    query = review.findings(EVERYTHING, reviewed=states, today=TODAY.isoformat(), state=state)
    with tables(data, Viewer()) as connection:
        return fetch(connection, query, 1000)


def keys_of(
    messages: Mapping[str, str], period: str = "2026-02", organization: str = "evergreen"
) -> dict[str, str]:
    """The keys of findings with these messages, by their names."""
    query = review.findings(EVERYTHING, reviewed={}, today=TODAY.isoformat(), state="all")
    with duckdb.connect() as connection:
        connection.execute(FINDINGS_TABLE)
        for message in messages.values():
            connection.execute(
                "insert into findings values ('warning', 'no_split', $message, '', $organization,"
                " '', 1, 'USD', null, '2026-02')",
                {"message": message, "organization": organization},
            )
        rows = fetch(connection, query, 100)
    names = {message: name for name, message in messages.items()}
    return {names[str(row["message"])]: str(row["finding_key"]) for row in rows}


# --- order -------------------------------------------------------------------------------------


def test_amounts_are_compared_within_a_currency(data: DataFolder) -> None:
    query = review.findings(EVERYTHING, reviewed={}, today=TODAY.isoformat(), state="all")
    with duckdb.connect() as connection:
        connection.execute(FINDINGS_TABLE)
        for kind, amount, currency in (
            ("no_split", 900, "USD"),
            # A thousand yen are no more than ten dollars.
            ("no_split", 1000, "JPY"),
            ("no_split", None, None),
            ("zero_total", 5000, "JPY"),
            ("zero_total", 20, "USD"),
            ("no_tag_rule", 800, "USD"),
        ):
            connection.execute(
                "insert into findings values ('warning', $kind, 'message', '', 'evergreen', '',"
                " $amount, $currency, null, '2026-02')",
                {"kind": kind, "amount": amount, "currency": currency},
            )
        rows = fetch(connection, query, 100)
    assert [(row["kind"], row["amount_at_stake"], row["currency"]) for row in rows] == [
        ("no_split", 1000, "JPY"),
        ("no_split", 900, "USD"),
        ("no_split", None, None),
        ("zero_total", 5000, "JPY"),
        ("zero_total", 20, "USD"),
        ("no_tag_rule", 800, "USD"),
    ]


# --- keys --------------------------------------------------------------------------------------


def test_a_key_stays_when_counts_and_amounts_change() -> None:
    before = keys_of({"a": "3 of 11 licenses are in Default since 2026-01-19 17:45 UTC"})
    after = keys_of({"a": "14 of 1,200 licenses are in Default since 2026-01-19 17:45 UTC"})
    assert before == after
    charged = "Publishing has a budget of {} USD through 2026-04 and was charged {}"
    assert keys_of({"a": charged.format("2300", "2332.18")}) == keys_of(
        {"a": charged.format("2300", "-9.5")}
    )
    assert keys_of({"a": "1 2 3 rows"}) == keys_of({"a": "4 5 6 rows"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2 row(s) of bills/2026-01.csv", "2 row(s) of bills/2026-02.csv"),
        ("the split of 2026-01-02 10:45 UTC", "the split of 2026-01-03 10:45 UTC"),
        ("at 10:45 UTC", "at 11:45 UTC"),
        ("(From 9 Jan 2026 to 16 Jan 2026)", "(From 5 Jan 2026 to 16 Jan 2026)"),
        ("invoice G0123 has 1", "invoice G0124 has 1"),
        ('the budget of "100"', 'the budget of "200"'),
        ("Sales has 1", "Marketing has 1"),
    ],
)
def test_other_files_days_ids_and_names_have_other_keys(one: str, other: str) -> None:
    assert keys_of({"a": one}) != keys_of({"a": other})


def test_findings_that_differ_by_a_number_only_have_different_keys() -> None:
    keys = keys_of({"a": "invoice 10023 is missing", "b": "invoice 10024 is missing"})
    assert len(set(keys.values())) == 2
    assert keys_of({"a": "x"}, organization="harbor") != keys_of({"a": "x"})


# --- states ------------------------------------------------------------------------------------


def test_an_accepted_finding_returns_after_its_date_and_when_it_grows(data: DataFolder) -> None:
    row = next(each for each in found(data) if each["kind"] == "no_split")
    key, amount = str(row["finding_key"]), row["amount_at_stake"]
    assert isinstance(amount, Decimal) and amount > 0
    reviews.accept(
        data, ANN, key, "known", until=TODAY + timedelta(days=1), amount=amount, today=TODAY
    )
    states = reviews.states(reviews.read(data))

    def is_open(today: date, states: review.Reviewed = states) -> bool:
        query = review.findings(EVERYTHING, reviewed=states, today=today.isoformat())
        with tables(data, Viewer()) as connection:
            return key in {each["finding_key"] for each in fetch(connection, query, 1000)}

    assert not is_open(TODAY) and not is_open(TODAY + timedelta(days=1))
    assert is_open(TODAY + timedelta(days=2))
    smaller = {key: states[key] | {"accepted_amount": str(amount / 2)}}
    assert is_open(TODAY, smaller)
    nearly = {key: states[key] | {"accepted_amount": str(amount * Decimal("0.95"))}}
    assert not is_open(TODAY, nearly)
    assert key in {each["finding_key"] for each in found(data, "accepted")}
    with tables(data, Viewer()) as connection:
        counts = fetch(connection, review.finding_counts(EVERYTHING, states, TODAY.isoformat()), 10)
    assert sum(int(str(each["accepted_count"])) for each in counts) == 1
    reviews.add(data, ANN, key, "reopened", "not any more")
    assert reviews.states(reviews.read(data))[key]["accepted_until"] is None


def test_the_last_assignment_and_decision_count(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    reviews.add(data, ANN, "k", "assigned", "Kim")
    reviews.add(data, ANN, "k", "commented", "line one\nline two")
    reviews.accept(data, ANN, "k", "known", until=TODAY, amount=Decimal("1.50"), today=TODAY)
    assert reviews.states(reviews.read(data)) == {
        "k": {"assigned_to": "Kim", "accepted_until": "2026-02-10", "accepted_amount": "1.5"}
    }
    reviews.add(data, ANN, "k", "assigned", "")
    steps = reviews.read(data)["k"]
    assert reviews.states({"k": steps})["k"]["assigned_to"] is None
    assert [step.words for step in steps] == [
        "assigned it to Kim",
        "commented",
        "accepted it until 10 Feb 2026",
        "assigned it to nobody",
    ]
    assert steps[1].text == "line one line two" and steps[1].by == ANN.name


def test_the_broker_and_an_organization_review_by_themselves(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    reviews.add(data, ANN, "k", "assigned", "Kim")
    reviews.add(data, ANN, "other", "assigned", "Kim")
    reviews.accept(data, ANN, "k", "ours", until=TODAY, amount=None, today=TODAY, side="evergreen")
    steps = reviews.read(data)
    assert reviews.states(steps)["k"] == {
        "assigned_to": "Kim", "accepted_until": None, "accepted_amount": None,
    }  # fmt: skip
    assert reviews.states(steps, "evergreen") == {
        "k": {"assigned_to": None, "accepted_until": "2026-02-10", "accepted_amount": None}
    }


def test_a_line_of_an_earlier_version_is_the_brokers(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    reviews.add(data, ANN, "k", "assigned", "Kim")
    line = data.reviews.read_text().replace(', "side": ""', "")
    assert "side" not in line
    data.reviews.write_text(line)
    assert reviews.states(reviews.read(data))["k"]["assigned_to"] == "Kim"


def test_the_latest_confirmation_of_an_organization_and_period_counts(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    for charged in ("1.50 USD", "2.50 USD"):
        reviews.confirm(data, ANN, "evergreen", "2026-02", charged, "agreed")
    steps = reviews.read(data)
    step = reviews.confirmed(steps, "evergreen", "2026-02")
    assert step and (step.amount, step.text, step.side) == ("2.50 USD", "agreed", "evergreen")
    assert reviews.confirmed(steps, "evergreen", "2026-01") is None
    assert reviews.confirmed(steps, "harbor", "2026-02") is None


@pytest.mark.parametrize(
    ("reason", "days", "words"),
    [(" ", 1, "reason"), ("known", -1, "has passed"), ("known", 367, "a year at most")],
)
def test_an_acceptance_has_a_reason_and_an_end(
    tmp_path: Path, reason: str, days: int, words: str
) -> None:
    data = DataFolder(tmp_path)
    until = TODAY + timedelta(days=days)
    with pytest.raises(NotAcceptable, match=words):
        reviews.accept(data, ANN, "k", reason, until=until, amount=None, today=TODAY)
    assert not data.reviews.exists()


def test_a_line_that_is_not_of_the_app_is_an_error(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    reviews.add(data, ANN, "k", "commented", "x")
    data.reviews.write_text(data.reviews.read_text().replace('"until": ""', '"until": "soon"'))
    with pytest.raises(RecordDamaged):
        reviews.read(data)


# --- cures -------------------------------------------------------------------------------------


def test_every_kind_of_finding_has_a_cure() -> None:
    assert CURES.keys() == seed_values("finding_kinds", "kind", "meaning").keys()


def test_a_cure_is_on_a_page_that_the_viewer_has() -> None:
    row = {"kind": "no_split", "organization_id": "a", "subscription_id": "1",
           "billing_period": None}  # fmt: skip
    assert cure_of(row, may_edit=True).page == "change_split"
    assert cure_of(row, may_edit=False).page == "cost_center_history"
    # Without a subscription, the history would show another one.
    assert cure_of(row | {"subscription_id": None}, may_edit=True).page == "chargeback"
    assert address_of(row, "2026-02") == {
        "period": "2026-02", "organization": "a", "subscription": "1",
    }  # fmt: skip
    assert cure_of(row, may_edit=True, is_by_directory=True).page == "license_pool"
    unknown = row | {"kind": "of_a_later_version"}
    assert cure_of(unknown, may_edit=False).page == "reconciliation"
    assert cure_of(unknown, may_edit=False, is_customer=True).page is None
    names = row | {"kind": "unknown_cost_center"}
    assert cure_of(names, may_edit=True).page == "cost_centers"
    assert cure_of(names, may_edit=False).page == "cost_center_history"
    licenses = row | {"kind": "zero_total"}
    assert cure_of(licenses, may_edit=True).page == "change_split"
    assert cure_of(licenses, may_edit=False).page == "cost_center_history"


def test_cures_in_words_only_are_those_that_no_page_shows() -> None:
    assert {kind for kind, cure in CURES.items() if cure.page is None} == {
        "date_order_inferred", "rows_skipped",
    }  # fmt: skip
    folders = {
        word.removeprefix("landing/").rstrip(",")
        for cure in CURES.values()
        for word in cure.words.split()
        if word.startswith("landing/")
    }
    assert folders <= set(FEEDS)
