"""Random histories of one company: whatever happens in whatever order, the books stay right.

A state machine lands bills, replaces and removes them, changes splits and prices, closes and
corrects periods, kills runs and restores the data folder. After every step the pipeline runs and
the invariants are checked. A step costs some seconds, so the default is two short histories.
APPORTION_FUZZ_HISTORIES=20 (`make fuzz`) runs that many longer ones, with new seeds.
"""

import os
import random
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import Company
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from ledger_stories import corrections, invoice, land, splits

from dagster_project import dbt_runner, publish, run_state, warehouse_file
from dagster_project.errors import ClosingRefused, LedgerBroken, NotAPeriodToClose, NotOneState
from dagster_project.ledger import anchors, closing
from dagster_project.ledger.postings import read_postings
from dagster_project.settings import DataFolder

HISTORIES = int(os.environ.get("APPORTION_FUZZ_HISTORIES", "0"))

MONTHS = ("2025-01", "2025-02", "2025-03", "2025-04")
PRODUCTS = ("writer", "reader", "viewer")
COSTS = st.decimals("0.000001", "9999", places=6)
SEATS = st.integers(0, 12)
INSTANTS = st.sampled_from(
    ["2024-11-20T10:00:00Z", "2025-01-05T09:30:00Z", "2025-02-01T00:00:00Z", "2025-03-14T23:59:59Z"]
)

Lines = tuple[tuple[str, Decimal], ...]
"""A bill: product and cost per line."""


class Histories(RuleBasedStateMachine):
    """The company, and what must hold of it."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="histories"))
        self.company = Company(DataFolder(self.root / "data"))
        self.clock = 1
        self.bills: dict[str, tuple[str, Lines]] = {}
        """The landed bills by file: the month, and the lines."""
        self.frozen: dict[str, list[tuple]] = {}
        """The published rows of closed periods, as they were when they were closed."""
        self.is_published = False
        self.land_text(
            "split_history/first.csv",
            splits(
                "\n".join(
                    f"{name}  2024-11-01T08:00:00Z  {number + 1}  2"
                    for number, name in enumerate(PRODUCTS)
                )
            ),
        )
        self.land_text("organizations/all.csv", "Organization,Name\nalder,Alder & Birch\n")

    def teardown(self) -> None:
        if self.is_published:
            self.rebuilds_to_the_same_bytes()
        shutil.rmtree(self.root)

    # --- steps ----------------------------------------------------------------------------------

    @rule(month=st.sampled_from(MONTHS), lines=st.lists(COSTS, min_size=1, max_size=3))
    def land_a_bill(self, month: str, lines: list[Decimal]) -> None:
        """A new invoice of a month, open or closed, with a line per product."""
        number = f"G{self.clock}"
        named = tuple(zip(PRODUCTS, lines, strict=False))
        self.land_bill(f"billing_lines/{number}.csv", month, named)
        self.run()

    @precondition(lambda self: self.bills)
    @rule(pick=st.integers(0, 99), factor=st.sampled_from(["0.5", "1.1", "3"]))
    def land_a_bill_again(self, pick: int, factor: str) -> None:
        """A later delivery of a landed invoice with other amounts, which replaces it."""
        old = sorted(self.bills)[pick % len(self.bills)]
        month, lines = self.bills[old]
        again = tuple(
            (name, (cost * Decimal(factor)).quantize(Decimal("0.000001"))) for name, cost in lines
        )
        if all(cost > 0 for _, cost in again):
            name = old.removesuffix(".csv").split("-")[0]
            self.land_bill(f"{name}-{self.clock}.csv", month, again)
        self.run()

    @precondition(lambda self: self.bills)
    @rule(pick=st.integers(0, 99))
    def land_a_copy(self, pick: int) -> None:
        """The same content under another name, which adds nothing."""
        old = sorted(self.bills)[pick % len(self.bills)]
        billed = self.billed()
        copy = f"billing_lines/copy-{self.clock}.csv"
        self.land_text(copy, (self.company.data.landing / old).read_bytes())
        self.run()
        if self.is_published:
            assert self.billed() == billed
        (self.company.data.landing / copy).unlink()

    @precondition(lambda self: self.bills)
    @rule(pick=st.integers(0, 99))
    def remove_a_bill(self, pick: int) -> None:
        """A bill is taken out of landing. Closed periods keep it."""
        old = sorted(self.bills)[pick % len(self.bills)]
        (self.company.data.landing / old).unlink()
        del self.bills[old]
        self.run()

    @rule(cost=COSTS)
    def land_a_bad_row(self, cost: Decimal) -> None:
        """A bill with one row that cannot be used, and its money in quarantine."""
        number = f"G{self.clock}"
        text = bill(number, "2025-04", (("writer", cost), ("reader", Decimal(7))))
        name = f"billing_lines/{number}.csv"
        self.land_text(name, text.replace("reader,cycleCharge,10,", "reader,cycleCharge,ten,"))
        self.bills[name] = ("2025-04", (("writer", cost), ("reader", Decimal(7))))
        self.run()

    @rule(product=st.sampled_from(PRODUCTS), at=INSTANTS, sales=SEATS, market=SEATS)
    def split(self, product: str, at: str, sales: int, market: int) -> None:
        """A split, also a backdated one."""
        self.land_text(
            f"split_history/{self.clock}.csv", splits(f"{product}  {at}  {sales}  {market}")
        )
        self.run()

    @rule(price=st.decimals("0.01", "99", places=2), start=st.sampled_from(MONTHS))
    def price(self, price: Decimal, start: str) -> None:
        """A sales price from some month on."""
        self.land_text(
            f"price_list/{self.clock}.csv",
            f"Product,Unit Price,Currency,Valid From\nwriter license,{price},USD,{start}-01\n",
        )
        self.run()

    @precondition(lambda self: self.is_published)
    @rule(pick=st.integers(0, 1))
    def close(self, pick: int) -> None:
        """Close the oldest open period; sometimes a wrong one, which is refused."""
        open_periods = [
            period
            for (period,) in self.query(
                "select distinct billing_period from marts.billing_periods"
                " where status = 'open' order by 1"
            )
        ]
        if not open_periods:
            return
        period = open_periods[min(pick, len(open_periods) - 1)]
        before = self.rows_of(period)
        postings = read_postings(self.company.data.ledger)
        try:
            posting = closing.close_published(self.company.data, period, "random history")
        except ClosingRefused:
            assert period != open_periods[0]
            assert read_postings(self.company.data.ledger) == postings
            return
        except NotAPeriodToClose as refused:
            assert period != open_periods[0], refused
            assert read_postings(self.company.data.ledger) == postings
            return
        assert posting.row_count == len(before)
        self.frozen[period] = before
        self.run()

    @precondition(lambda self: self.frozen)
    @rule(pick=st.integers(0, 99), sales=SEATS, market=SEATS)
    def correct(self, pick: int, sales: int, market: int) -> None:
        """An approved correction of a closed period."""
        period = sorted(self.frozen)[pick % len(self.frozen)]
        if sales + market:
            self.land_text(
                f"corrections/{self.clock}.csv",
                corrections(
                    f"writer  {period}  sales  {sales}\nwriter  {period}  market  {market}"
                ),
            )
        self.run()

    @rule(cost=COSTS, has_built=st.booleans())
    def kill(self, cost: Decimal, has_built: bool) -> None:
        """A run on a mistake is killed before it publishes. Nothing can be closed until a run."""
        mistake = f"billing_lines/G{self.clock}.csv"
        self.land_text(mistake, bill(f"G{self.clock}", "2025-04", (("writer", cost),)))
        shown = self.shown()
        run_state.begin(self.company.data)
        if has_built:
            self.company.build(expect_success=False)
        else:
            self.company.ingest()
        (self.company.data.landing / mistake).unlink()
        assert self.shown() == shown
        with pytest.raises(NotOneState):
            closing.close_published(self.company.data, "2025-12", "random history")
        self.run()

    @precondition(lambda self: self.is_published)
    @rule(damage=st.sampled_from(["warehouse", "published", "ledger", "everything built"]))
    def restore(self, damage: str) -> None:
        """A part of the data folder is lost. What is built comes back; the ledger is restored."""
        data = self.company.data
        if damage == "warehouse":
            data.warehouse.write_bytes(b"not a database")
        if damage in ("published", "everything built"):
            shutil.rmtree(data.published)
        if damage == "everything built":
            data.warehouse.unlink()
            shutil.rmtree(data.run_folder)
        if damage == "ledger" and self.frozen:
            backup = self.root / "backup"
            data.ledger.rename(backup)
            with pytest.raises(LedgerBroken, match="Restore"):
                anchors.verify(data)
            backup.rename(data.ledger)
        self.run()

    # --- a run ----------------------------------------------------------------------------------

    def run(self) -> None:
        """The steps of a run without Dagster's records, then the invariants."""
        data = self.company.data
        warehouse_file.make_usable(data)
        run_state.begin(data)
        self.company.build(expect_success=False)
        failures = self.company.failures
        assert not failures, failures
        anchors.verify(data)
        publish.publish(data, dbt_runner.read_manifest(), run_state.begun(data))
        anchors.remember(data, read_postings(data.ledger))
        run_state.remember(data)
        self.is_published = bool(self.query("select 1 from marts.billing_report limit 1"))
        self.every_landed_row_is_accounted_for()
        self.parts_are_the_line()
        self.the_ledger_is_what_is_published()
        if HISTORIES:
            self.rebuilds_to_the_same_bytes()

    # --- invariants -----------------------------------------------------------------------------

    def every_landed_row_is_accounted_for(self) -> None:
        landed = sum((cost for _, lines in self.bills.values() for _, cost in lines), Decimal(0))
        copies = sum(
            total
            for (total,) in self.query(
                "select sum(landed_total) from marts.delivery_reconciliation"
                " where replaced_reason = 'same_content' group by file"
            )
        )
        ((total, accounted),) = self.query(
            "select coalesce(sum(landed_total), 0),"
            " coalesce(sum(billed_total + quarantined_total + replaced_total), 0)"
            " from marts.delivery_reconciliation"
        )
        assert total == accounted == landed + copies

    def parts_are_the_line(self) -> None:
        differing = self.query(
            """
            with parts as (
                select
                    line_id, sum(total_cost) as total_cost, sum(quantity) as quantity,
                    sum(share) as share
                from marts.billing_report
                where not is_posted and charge_class is null
                group by line_id
            )
            select line_id from parts
            left join intermediate.int_billing_lines as lines using (line_id)
            where lines.line_id is null or parts.share <> 1
                or parts.total_cost <> lines.total_cost or parts.quantity <> lines.quantity
            """
        )
        assert differing == []

    def the_ledger_is_what_is_published(self) -> None:
        postings = read_postings(self.company.data.ledger)
        assert [posting.billing_period for posting in postings] == sorted(self.frozen)
        for posting in postings:
            shown = self.rows_of(posting.billing_period)
            assert shown == self.frozen[posting.billing_period]
            assert len(shown) == posting.row_count
            ((total,),) = self.query(
                "select sum(total_cost) from marts.billing_report"
                f" where billing_period = '{posting.billing_period}' and is_posted"
            )
            assert total == Decimal(posting.total_cost)

    def rebuilds_to_the_same_bytes(self) -> None:
        data = self.company.data
        again = Company(DataFolder(self.root / "again"))
        for part in ("landing", "ledger"):
            if (data.root / part).exists():
                shutil.copytree(data.root / part, again.data.root / part)
        again.build()
        publish.publish(again.data, dbt_runner.read_manifest(), "rebuilt")
        before, after = (
            {path.name: path.read_bytes() for path in (each.published / "marts").iterdir()}
            for each in (data, again.data)
        )
        assert [name for name in before if before[name] != after.get(name)] == []
        assert before.keys() == after.keys()
        shutil.rmtree(again.data.root)

    # --- the company ----------------------------------------------------------------------------

    def land_text(self, name: str, content: str | bytes) -> None:
        land(self.company, name, content, self.clock)
        self.clock += 1

    def land_bill(self, name: str, month: str, lines: Lines) -> None:
        number = Path(name).stem.split("-")[0]
        self.land_text(name, bill(number, month, lines))
        self.bills[name] = (month, lines)

    def query(self, sql: str) -> list[tuple]:
        return self.company.query(sql)

    def billed(self) -> Decimal:
        if not self.is_published:
            return Decimal(0)
        ((total,),) = self.query("select coalesce(sum(total_cost), 0) from marts.billing_report")
        return total

    def rows_of(self, period: str) -> list[tuple]:
        """The rows of a period as published, without the flag that closing sets."""
        return self.query(
            f"select * exclude (is_posted) from marts.billing_report"
            f" where billing_period = '{period}' order by all"
        )

    def shown(self) -> dict[str, bytes]:
        """What readers see."""
        marts = self.company.data.published / "marts"
        if not marts.exists():
            return {}
        return {path.name: path.read_bytes() for path in marts.iterdir()}


def bill(number: str, month: str, lines: Lines) -> str:
    """An invoice of charges that start in the month."""
    day = f"{month}-05"
    rows = "\n".join(f"{name}  cycleCharge  10  {cost}  {day}  {day}" for name, cost in lines)
    return invoice(number, rows)


def test_random_histories_keep_the_books_right() -> None:
    few = settings(
        max_examples=HISTORIES or 2,
        stateful_step_count=30 if HISTORIES else 5,
        deadline=None,
        derandomize=not HISTORIES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    if HISTORIES:
        chosen = os.environ.get("APPORTION_TEST_SEED")
        number = int(chosen) if chosen else random.SystemRandom().randrange(10**9)
        print(f"APPORTION_TEST_SEED={number}")
        hypothesis_seed(number)(Histories)
    run_state_machine_as_test(Histories, settings=few)
