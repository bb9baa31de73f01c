"""Late lines, re-issued invoices and approved corrections of closed periods."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pytest
from conftest import Company, NewCompany
from ledger_stories import (
    FIRST_BILL,
    SECOND_BILL,
    SPLITS,
    all_marts,
    as_billed,
    as_corrected,
    broker_report,
    chapter,
    close,
    corrections,
    cost_centers,
    invoice,
    invoices,
    land,
    organizations,
    report,
    splits,
    total,
)
from written_tables import book, plain

from dagster_project import dbt_runner, publish

# Reader's price was wrong, viewer was billed in error, planner was missing.
THIRD_BILL = """
writer   cycleCharge  10  100  2024-12-10  2025-01-09
reader   cycleCharge   4   26  2024-12-10  2025-01-09
planner  cycleCharge   3    9  2024-12-10  2025-01-09
"""
# The first bill again, with its lines in another order, since an identical file is a copy.
FOURTH_BILL = """
viewer   cycleCharge   5   30  2024-12-10  2025-01-09
reader   cycleCharge   4   20  2024-12-10  2025-01-09
writer   cycleCharge  10  100  2024-12-10  2025-01-09
"""
FEBRUARY_BILL = "writer  cycleCharge  10  100  2025-01-10  2025-02-09"

FIRST_CORRECTION = """
writer  2025-01  sales   5
writer  2025-01  market  5
"""
SECOND_CORRECTION = """
writer  2025-01  sales   3
writer  2025-01  market  7
"""
CORRECTION_COLUMNS = (
    "original_billing_period, subscription_id, cost_center_id, quantity, total_cost"
)


@dataclass(frozen=True)
class Story:
    """January is billed and closed; then it turns out to be wrong."""

    company: Company
    billed: Company
    late: Company
    late_again: Company
    february: Company
    february_closed: Company
    third_bill: Company


@pytest.fixture(scope="module")
def story(new_company: NewCompany) -> Story:
    company = new_company()
    land(company, "organizations/organizations.csv", organizations(), 1)
    land(company, "cost_centers/cost_centers.csv", cost_centers(), 1)
    land(company, "split_history/splits.csv", splits(SPLITS), 1)
    land(company, "billing_lines/g1.csv", invoice("G1", FIRST_BILL), 1)
    land(company, "billing_lines/broker.csv", broker_report("2025-01-08  project  8  80  120"), 1)
    land(company, "invoices/1.csv", invoices("G1  2025-01-07  150"), 1)
    company.build()
    billed = chapter(company, "billed")
    close(company, "2025-01")

    land(company, "billing_lines/g1 version 2.csv", invoice("G1", SECOND_BILL), 2)
    land(company, "invoices/2.csv", invoices("G1  2025-01-07  133"), 2)
    land(company, "corrections/first.csv", corrections(FIRST_CORRECTION), 2)
    late_lines = "2025-01-08  project  2  20  30\n2024-12-08  project  4  8  12"
    land(company, "billing_lines/broker, late.csv", broker_report(late_lines), 2)
    company.build()
    late = chapter(company, "late")
    company.build()
    late_again = chapter(company, "late again")

    land(company, "billing_lines/g2.csv", invoice("G2", FEBRUARY_BILL), 3)
    land(company, "invoices/3.csv", invoices("G2  2025-02-07  100"), 3)
    company.build()
    february = chapter(company, "february")
    close(company, "2025-02")
    company.build()
    february_closed = chapter(company, "february closed")

    # The older versions are removed from landing.
    (company.data.landing / "billing_lines/g1.csv").unlink()
    (company.data.landing / "billing_lines/g1 version 2.csv").unlink()
    land(company, "billing_lines/g1 version 3.csv", invoice("G1", THIRD_BILL), 4)
    land(company, "invoices/4.csv", invoices("G1  2025-01-07  135"), 4)
    land(company, "corrections/second.csv", corrections(SECOND_CORRECTION), 4)
    company.build()
    return Story(
        company,
        billed,
        late,
        late_again,
        february,
        february_closed,
        chapter(company, "third bill"),
    )


@dataclass(frozen=True)
class StoryEnd:
    """March is closed, the fourth bill is as the first, April is closed too."""

    fourth_bill: Company
    april_closed: Company
    published: Mapping[str, list[tuple]]
    rebuilt: Company
    published_again: Mapping[str, list[tuple]]


@pytest.fixture(scope="module")
def story_end(story: Story) -> StoryEnd:
    company = story.company
    close(company, "2025-03")
    land(company, "billing_lines/g1 version 4.csv", invoice("G1", FOURTH_BILL), 5)
    # The bytes differ from the first list, since a copy would have the age of the first.
    land(company, "invoices/5.csv", invoices("G1  2025-01-07  150.00"), 5)
    company.build()
    fourth_bill = chapter(company, "fourth bill")
    close(company, "2025-04")
    company.build()
    april_closed = chapter(company, "april closed")
    first_time = published(company)
    company.data.warehouse.unlink()
    shutil.rmtree(company.data.published)
    company.build()
    rebuilt = chapter(company, "rebuilt")
    return StoryEnd(fourth_bill, april_closed, first_time, rebuilt, published(company))


def published(company: Company) -> dict[str, list[tuple]]:
    """Every published table."""
    manifest = dbt_runner.read_manifest()
    publish.publish(company.data, manifest, "state")
    with duckdb.connect(str(company.data.published_database), read_only=True) as connection:
        names = connection.execute("select table_name from duckdb_tables()").fetchall()
        return {
            name: connection.execute(f'select * from marts."{name}"').fetchall()
            for (name,) in names
        }


def test_late_lines_a_reissue_and_a_correction_are_billed_in_the_next_month(story: Story) -> None:
    # By hand. reader belongs to sales: 20 are reversed, 24 are charged. viewer is reversed: 2 of 5
    # seats and 12 of 30 from sales, 3 and 18 from market. planner's 9 are 3 for sales' one seat
    # and 6 for market's two. The late project lines are split in halves. writer was 60 to 40 and
    # should be half and half: -10 for sales, +10 for market.
    assert report(story.late, CORRECTION_COLUMNS, "billing_period = '2025-02'") == book(
        """
        2025-01  reader   sales   -4  -20
        2025-01  reader   sales    4   24
        2025-01  viewer   sales   -2  -12
        2025-01  viewer   market  -3  -18
        2025-01  planner  sales    1    3
        2025-01  planner  market   2    6
        2025-01  project  sales    1   10
        2025-01  project  market   1   10
        2024-12  project  sales    2    4
        2024-12  project  market   2    4
        2025-01  writer   sales   -1  -10
        2025-01  writer   market   1   10
        """
    )


def test_corrections_are_marked_and_state_the_reason(story: Story) -> None:
    assert report(
        story.late, "distinct charge_class, split_reason", "billing_period = '2025-02'"
    ) == book(
        """
        Correction  snapshot
        Correction  reversed
        Correction  corrected
        """
    )
    assert story.late.query(
        "select count(*) from marts.billing_report"
        " where charge_class is not null and billing_period = '2025-01'"
    ) == [(0,)]


def test_reversals_and_corrections_refer_to_the_posted_line(story: Story) -> None:
    found = story.late.query(
        """
        select correction.split_reason, posted.billing_period, posted.is_posted,
            posted.subscription_id, correction.cost_center_id, posted.total_cost
        from marts.billing_report as correction
        inner join marts.billing_report as posted
            on correction.corrects_line_id = posted.line_id
            and correction.cost_center_id = posted.cost_center_id
        where correction.total_cost <> 0
        """
    )
    assert sorted(" ".join(map(plain, row)) for row in found) == book(
        """
        corrected  2025-01  True  writer  sales   60
        corrected  2025-01  True  writer  market  40
        reversed   2025-01  True  reader  sales   20
        reversed   2025-01  True  viewer  sales   12
        reversed   2025-01  True  viewer  market  18
        """
    )
    assert report(
        story.late,
        "distinct subscription_id",
        "charge_class = 'Correction' and corrects_line_id is null",
    ) == ["planner", "project", "reader"]


def test_corrections_do_not_change_closed_periods(story: Story, story_end: StoryEnd) -> None:
    columns = "* exclude (is_posted)"
    january, february = (
        f"""
        select {columns} from marts.billing_report
        where billing_period = '{period}'
        order by all
        """
        for period in ("2025-01", "2025-02")
    )
    assert story.billed.query(january) != [] != story.february.query(february)
    for later in (story.late, story.february_closed, story.third_bill, story_end.april_closed):
        assert later.query(january) == story.billed.query(january)
    for later in (story.february_closed, story.third_bill, story_end.april_closed):
        assert later.query(february) == story.february.query(february)


def test_the_period_as_corrected_equals_the_corrected_bill(
    story: Story, new_company: NewCompany
) -> None:
    # A company that closed later, with the correct bill and the correct split.
    twin = new_company()
    land(twin, "organizations/organizations.csv", organizations(), 1)
    land(twin, "cost_centers/cost_centers.csv", cost_centers(), 1)
    right_splits = SPLITS.replace("6  4", "5  5")
    assert right_splits != SPLITS
    land(twin, "split_history/splits.csv", splits(right_splits), 1)
    land(twin, "billing_lines/g1.csv", invoice("G1", SECOND_BILL), 1)
    lines = "2025-01-08  project  8  80  120\n2025-01-08  project  2  20  30"
    land(twin, "billing_lines/broker.csv", broker_report(lines), 1)
    land(twin, "invoices/1.csv", invoices("G1  2025-01-07  133"), 1)
    twin.build()
    assert as_corrected(story.late, "2025-01") == as_billed(twin, "2025-01") != []


@pytest.mark.parametrize("moment", ["late", "february", "february_closed"])
def test_the_period_as_corrected_stays_so_when_corrections_are_posted(
    story: Story, moment: str
) -> None:
    # By hand: writer 100 in halves, reader 24, no viewer, planner 9 in thirds, project 100 of cost
    # and 150 of sales in halves.
    assert as_corrected(getattr(story, moment), "2025-01") == book(
        """
        writer license   sales   5  50  -
        writer license   market  5  50  -
        reader license   sales   4  24  -
        planner license  sales   1   3  -
        planner license  market  2   6  -
        project license  sales   5  50  75
        project license  market  5  50  75
        """
    )


@pytest.mark.parametrize(
    ("moment", "money"),
    [
        # The invoice of January, the broker's 80, his late 20 and 8, the invoice of February.
        ("billed", 150 + 80),
        ("late", 133 + 80 + 20 + 8),
        ("late_again", 133 + 80 + 20 + 8),
        ("february", 133 + 80 + 20 + 8 + 100),
        ("february_closed", 133 + 80 + 20 + 8 + 100),
        ("third_bill", 135 + 80 + 20 + 8 + 100),
    ],
)
def test_all_periods_together_contain_every_amount(story: Story, moment: str, money: int) -> None:
    company: Company = getattr(story, moment)
    assert total(company) == money
    for mart in ("chargeback", "chargeback_as_corrected", "billing_periods"):
        assert company.query(f"select sum(total_cost) from marts.{mart}") == [(money,)]


@pytest.mark.parametrize("moment", ["late", "february_closed", "third_bill"])
def test_an_approved_correction_moves_amounts_and_keeps_the_total(
    story: Story, moment: str
) -> None:
    corrected = getattr(story, moment).query(
        """
        select corrects_line_id, sum(quantity), sum(total_cost)
        from marts.billing_report
        where split_reason = 'corrected'
        group by billing_period, corrects_line_id
        """
    )
    assert corrected != []
    assert {(quantity, cost) for _, quantity, cost in corrected} == {(0, 0)}


def test_running_again_changes_nothing(story: Story) -> None:
    assert all_marts(story.late_again) == all_marts(story.late)


def test_the_open_period_contains_its_own_bill_and_the_corrections(story: Story) -> None:
    # The correction was for January only: February's writer seats are 60 to 40 again.
    assert report(
        story.february,
        CORRECTION_COLUMNS,
        "billing_period = '2025-02' and charge_class is null",
    ) == book(
        """
        2025-02  writer  sales   6  60
        2025-02  writer  market  4  40
        """
    )
    february = "billing_period = '2025-02' and charge_class = 'Correction'"
    assert report(story.february, CORRECTION_COLUMNS, february) == report(
        story.late, CORRECTION_COLUMNS, february
    )


def test_closing_posts_the_corrections_with_the_bill(story: Story) -> None:
    columns = "* exclude (is_posted)"
    sql = f"select {columns} from marts.billing_report where billing_period = '2025-02'"
    assert sorted(story.february.query(sql), key=str) == sorted(
        story.february_closed.query(sql), key=str
    )
    assert report(story.february_closed, "distinct is_posted") == ["True"]


def test_posted_corrections_are_not_repeated(story: Story) -> None:
    assert report(story.february_closed, "distinct billing_period") == ["2025-01", "2025-02"]


def test_a_second_reissue_is_corrected_against_the_first(story: Story) -> None:
    # reader was corrected to 24 and is 26 now; the rest is unchanged. writer is corrected from 50
    # to 30, not from the 60 of January's bill.
    assert report(story.third_bill, CORRECTION_COLUMNS, "billing_period = '2025-03'") == book(
        """
        2025-01  reader  sales   -4  -24
        2025-01  reader  sales    4   26
        2025-01  writer  sales   -2  -20
        2025-01  writer  market   2   20
        """
    )


def test_a_second_reissue_reverses_the_line_of_the_first(story: Story) -> None:
    assert report(
        story.third_bill,
        "subscription_id, corrects_line_id",
        "billing_period = '2025-03' and split_reason = 'reversed'",
    ) == report(
        story.february_closed,
        "subscription_id, line_id",
        "billing_period = '2025-02' and total_cost = 24",
    )


def test_the_period_as_corrected_contains_the_second_correction(story: Story) -> None:
    assert as_corrected(story.third_bill, "2025-01") == book(
        """
        writer license   sales   3  30  -
        writer license   market  7  70  -
        reader license   sales   4  26  -
        planner license  sales   1   3  -
        planner license  market  2   6  -
        project license  sales   5  50  75
        project license  market  5  50  75
        """
    )


@pytest.mark.parametrize("moment", ["late", "february_closed", "third_bill"])
def test_the_reissued_invoice_ties_with_its_corrections(story: Story, moment: str) -> None:
    found = getattr(story, moment).query(
        """
        select invoice_number, invoice_total - lines_total, invoice_total - allocated_total, status
        from marts.invoice_reconciliation
        where invoice_number = 'G1'
        """
    )
    assert found == [("G1", 0, 0, "reconciled")]


def test_a_reissue_equal_to_the_first_version_reverses_the_others(
    story_end: StoryEnd,
) -> None:
    # Back from 26 to 20 and no planner; viewer's line of January, reversed in February, counts
    # again. writer's corrections are not affected.
    assert report(story_end.fourth_bill, CORRECTION_COLUMNS, "billing_period = '2025-04'") == book(
        """
        2025-01  reader   sales   -4  -26
        2025-01  reader   sales    4   20
        2025-01  planner  sales   -1   -3
        2025-01  planner  market  -2   -6
        2025-01  viewer   sales    2   12
        2025-01  viewer   market   3   18
        """
    )
    assert as_corrected(story_end.fourth_bill, "2025-01") == book(
        """
        writer license   sales   3  30  -
        writer license   market  7  70  -
        reader license   sales   4  20  -
        viewer license   sales   2  12  -
        viewer license   market  3  18  -
        project license  sales   5  50  75
        project license  market  5  50  75
        """
    )
    assert total(story_end.fourth_bill) == 150 + 80 + 20 + 8 + 100


def test_a_line_that_is_billed_again_is_posted_once_and_stays(story_end: StoryEnd) -> None:
    assert report(story_end.april_closed, "distinct billing_period") == [
        "2025-01",
        "2025-02",
        "2025-03",
        "2025-04",
    ]
    assert total(story_end.april_closed) == 150 + 80 + 20 + 8 + 100


def test_landing_and_ledger_rebuild_every_mart(story_end: StoryEnd) -> None:
    before, after = all_marts(story_end.april_closed), all_marts(story_end.rebuilt)
    assert set(before) == set(after) and len(before) >= 9
    for mart in before:
        assert before[mart] == after[mart], mart
    assert before["billing_report"] != []


def test_published_tables_are_rebuilt(story_end: StoryEnd) -> None:
    assert set(story_end.published) == set(all_marts(story_end.april_closed))
    assert story_end.published_again == story_end.published


def test_a_line_keeps_its_id(story: Story) -> None:
    # Ledgers keep these ids for years. A version with other ids would reverse every line of every
    # closed period that is still in landing, and post it again.
    assert report(
        story.billed,
        "distinct subscription_id, line_id",
        "subscription_id in ('writer', 'project')",
    ) == book(
        """
        project  350640338a5be4acfdbff09e8fcc3d1b
        writer   481ccffc973d6f532c991e8a75c599ad
        """
    )
