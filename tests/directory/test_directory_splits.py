"""Splits by the directory, end to end through dbt."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from bills_of_subscriptions import findings, reconciliation, report
from conftest import Company, MadeOnce
from people import people_company
from written_tables import book, in_words


@pytest.fixture(scope="module")
def people(made_once: MadeOnce) -> Company:
    return people_company(made_once)


def test_the_cost_of_a_user_who_moves_follows_from_the_next_cycle_on(people: Company) -> None:
    # 5 Jan: Sales has 4 and IT has 2 of 10. Dora moves on 15 Jan: 3 and 3 from 5 Feb on, also for
    # the refund of 15 Feb. At the end of that cycle 3 and 2 of 12 are assigned, since Finn is
    # disabled: this applies to the charge for added seats and to the next cycle.
    assert report(
        people,
        "charge_start_date, charge_kind, cost_center_id, quantity, total_cost, split_reason",
        "subscription_id = 'office' and cost_center_id <> 'CC-0'",
    ) == book(
        """
        2026-01-05  cycle   CC-1  4  40         snapshot
        2026-01-05  cycle   CC-2  2  20         snapshot
        2026-02-05  cycle   CC-1  3  30         snapshot
        2026-02-05  cycle   CC-2  3  30         snapshot
        2026-02-15  refund  CC-1  3  -19.287    snapshot
        2026-02-15  refund  CC-2  3  -19.287    snapshot
        2026-02-15  extra   CC-1  3  19.285     snapshot
        2026-02-15  extra   CC-2  2  12.856667  snapshot
        2026-03-05  cycle   CC-1  3  30         snapshot
        2026-03-05  cycle   CC-2  2  20         snapshot
        """
    )


def test_unassigned_and_unmatched_licenses_are_in_default(people: Company) -> None:
    # 2 of Moonshots and 2 unassigned; the same after Dora moved; then Hana and 6 unassigned.
    assert report(
        people,
        "charge_start_date, charge_kind, quantity, total_cost",
        "subscription_id = 'office' and cost_center_id = 'CC-0'",
    ) == book(
        """
        2026-01-05  cycle   4  40
        2026-02-05  cycle   4  40
        2026-02-15  refund  4  -25.716
        2026-02-15  extra   7  44.998333
        2026-03-05  cycle   7  70
        """
    )


def test_a_split_by_the_directory_starts_in_the_last_second_of_a_cycle(people: Company) -> None:
    assert people.query(
        """
        select distinct charge_start_date, charge_kind, snapshot_effective_at
        from marts.billing_report where subscription_id = 'office' order by all
        """
    ) == [
        (date(2026, 1, 5), "cycle", datetime(2026, 1, 4, 23, 59, 59)),
        (date(2026, 2, 5), "cycle", datetime(2026, 2, 4, 23, 59, 59)),
        (date(2026, 2, 15), "extra", datetime(2026, 3, 4, 23, 59, 59)),
        (date(2026, 2, 15), "refund", datetime(2026, 2, 4, 23, 59, 59)),
        (date(2026, 3, 5), "cycle", datetime(2026, 3, 4, 23, 59, 59)),
    ]


def test_the_invoices_of_a_directory_tie(people: Company) -> None:
    for number in ("A1", "A2", "A3", "B1", "C1"):
        assert [row.split()[-1] for row in reconciliation(people, number)] == ["reconciled"]


def test_the_license_pool_shows_bought_assigned_and_pending_licenses(people: Company) -> None:
    # 12 bought at 120.00; Anna, Ben, Carl; Dora, Eve; Hana: 12 - 6 = 6 are pending, at 60.00, two
    # of them with Finn and Gus.
    assert in_words(
        people.query(
            """
            select
                cost_center_id, bought_quantity, allotted_quantity, assigned_quantity,
                leaver_quantity, pending_quantity, pending_cost, directory_date
            from marts.license_pool where subscription_id = 'office'
            """
        )
    ) == book(
        """
        CC-0  12  7  1  1  6  60  2026-02-20
        CC-1  12  3  3  0  0  0   2026-02-20
        CC-2  12  2  2  1  0  0   2026-02-20
        """
    )
    assert findings(people, "pending_licenses", "alder") == [
        (
            Decimal(60),
            "6 of 12 licenses of Microsoft 365 E3 are pending, 2 of them assigned to users"
            " who have left",
        )
    ]


def test_more_licenses_assigned_than_bought_is_a_finding_and_shares_the_cost(
    people: Company,
) -> None:
    assert [message for _, message in findings(people, "over_assigned", "alder")] == [
        "on 2026-03-04 3 licenses are assigned but only 2 are bought"
    ]
    assert report(
        people, "cost_center_id, total_cost, split_reason", "subscription_id = 'visio'"
    ) == book(
        """
        CC-1  20  over_allocated
        CC-2  10  over_allocated
        """
    )


def test_unknown_values_of_the_directory_are_findings(people: Company) -> None:
    ((_, message),) = findings(people, "unknown_attribute", "alder")
    assert '"Moonshots": 1 license' in message
    ((_, message),) = findings(people, "unknown_license", "alder")
    assert '1 license(s) of "power bi pro"' in message


def test_a_split_by_a_directory_that_never_landed_is_default_and_a_finding(
    people: Company,
) -> None:
    assert report(
        people, "cost_center_name, total_cost, split_reason", "organization_id = 'cedar'"
    ) == ["Default 7 no_snapshot"]
    assert len(findings(people, "directory_missing", "cedar")) == 1
    assert findings(people, "directory_missing", "alder") == []


def test_a_license_of_a_sign_in_name_belongs_to_the_user_with_an_id(people: Company) -> None:
    assert report(
        people, "cost_center_id, quantity, total_cost", "subscription_id = 'teams'"
    ) == book(
        """
        CC-0  2  20
        CC-1  2  20
        """
    )
