"""Customers' editions: own rows only, complete, without cost and without other organizations."""

import re
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest
from conftest import Company
from spreadsheets import check_package, copied_marts, parts, pdf_text

from dagster_project.exports.customer import (
    CustomerEdition,
    customer_folder,
    organization_file_names,
    write_customer_edition,
    write_customer_editions,
)
from dagster_project.exports.scope import NothingInScope, Scope, open_published
from dagster_project.exports.visibility import customer_marts
from dagster_project.settings import DataFolder

FIRST, LAST = "2000-01", "2199-12"

TABLES = {mart.name: tuple(mart.columns) for mart in customer_marts()}
"""The marts that customers get, with their visible columns."""

OF_CHANGES = ("change", "amount", "previous_amount", "unit_amount", "previous_unit_amount")
OF_COST = re.compile(r"(^|_)(cost|margin|price)(_|$)")

CANARY = "kept-inside"
CANARY_AMOUNT = Decimal("987654.3217")
SCALE = 10**10

NUMBER = re.compile(rb"-?\d+\.?\d*(?:[eE][-+]?\d+)?")


@pytest.fixture
def published(sample_company: Company) -> Iterator[duckdb.DuckDBPyConnection]:
    with copied_marts(sample_company.data.published_database) as connection:
        yield connection


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


@pytest.fixture(scope="module")
def editions(
    sample_company: Company, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CustomerEdition, ...]:
    """The editions of all organizations, for tests that only read them."""
    folder = tmp_path_factory.mktemp("editions")
    with copied_marts(sample_company.data.published_database) as connection:
        data = DataFolder(folder / "data")
        written = write_customer_editions(connection, data, FIRST, LAST, folder / "exports")
        return tuple(written)


def columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """Name and type of a table's columns."""
    return [row[:2] for row in connection.execute(f"describe {table}").fetchall()]


def values(database: Path) -> set[object]:
    """Every value of every column of a customer's database."""
    found: set[object] = set()
    with duckdb.connect(str(database), read_only=True) as connection:
        for table in TABLES:
            for row in connection.execute(f"from marts.{table}").fetchall():
                found.update(row)
    return found


def as_stored(amount: Decimal) -> bytes:
    """The bytes of an amount in a database that does not compress it."""
    return struct.pack("<q", int(amount * SCALE))


def numbers_in(content: bytes) -> set[Decimal]:
    return {Decimal(each.decode()).normalize() for each in NUMBER.findall(content)}


# --- no cost ---------------------------------------------------------------


def test_columns_without_visibility_are_in_no_file_of_a_customer(
    published: duckdb.DuckDBPyConnection, data: DataFolder, tmp_path: Path
) -> None:
    for (table,) in published.execute("select table_name from duckdb_tables()").fetchall():
        # A column that a mart gains is hidden until its YAML makes it visible.
        published.execute(f"alter table {table} add column new_text varchar")
        published.execute(f"alter table {table} add column new_amount decimal(28, 10)")
        for column, kind in columns(published, table):
            if column in TABLES.get(table, ()) or column == "organization_id":
                continue
            if kind == "VARCHAR":
                published.execute(f"update {table} set {column} = '{CANARY}'")
            elif kind.startswith("DECIMAL(28"):
                published.execute(f"update {table} set {column} = {CANARY_AMOUNT}")
    for edition in write_customer_editions(published, data, FIRST, LAST, tmp_path / "exports"):
        assert edition.workbook
        for name, content in parts(edition.workbook).items():
            assert CANARY.encode() not in content, name
            assert b"98765" not in content, name
        assert edition.statements
        for path in edition.statements:
            text = (
                pdf_text(path.read_bytes())
                if path.suffix == ".pdf"
                else path.read_text(encoding="utf-8-sig")
            )
            assert CANARY not in text, path
            assert "98765" not in text.replace(",", ""), path
        assert not {CANARY, CANARY_AMOUNT} & values(edition.database)
        raw = edition.database.read_bytes()
        assert CANARY.encode() not in raw
        assert as_stored(CANARY_AMOUNT) not in raw
        assert struct.pack("<d", float(CANARY_AMOUNT)) not in raw


def cost_columns(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Columns of any mart whose name speaks of cost, margin or price.

    Except cost centers, and changes of the price that is charged.
    """
    return {
        column
        for (table,) in connection.execute("select table_name from duckdb_tables()").fetchall()
        for column, _ in columns(connection, table)
        if OF_COST.search(column.replace("cost_center", "")) and column != "price_change"
    }


def amounts(connection: duckdb.DuckDBPyConnection, organization: str, *names: str) -> set[Decimal]:
    """The amounts in these columns, per row and in every total that a file may show."""
    found: set[Decimal] = set()
    for (table,) in connection.execute("select table_name from duckdb_tables()").fetchall():
        own = dict(columns(connection, table))
        if "organization_id" not in own:
            continue
        for name in names:
            if name in own:
                found.update(
                    amount
                    for (amount,) in connection.execute(
                        f"select {name} from {table} where organization_id = ?", [organization]
                    ).fetchall()
                    if isinstance(amount, Decimal)
                )
    for name in ("total_cost", "total_margin", "total_sales"):
        if name in names:
            found.update(
                amount
                for (amount,) in connection.execute(
                    f"""
                    select sum({name}) from billing_report
                    where organization_id = ?
                    group by grouping sets (
                        (line_id), (billing_period), (product_name), (cost_center_id),
                        (cost_center_name), (currency), (subscription_id), ()
                    )
                    """,
                    [organization],
                ).fetchall()
                if amount is not None
            )
    return {amount.normalize() for amount in found}


def forecasts_of_cost(connection: duckdb.DuckDBPyConnection, organization: str) -> set[Decimal]:
    """Forecasts of cost; the column `forecast` of budgets is of sales."""
    found: set[Decimal] = set()
    for table in ("cost_forecast", "cost_forecast_summary", "forecast_accuracy"):
        rows = connection.execute(
            f"select forecast from {table} where organization_id = ?", [organization]
        ).fetchall()
        assert rows
        found.update(forecast.normalize() for (forecast,) in rows)
    return found


def test_no_figure_of_cost_or_margin_is_in_a_customers_files(
    published: duckdb.DuckDBPyConnection, editions: tuple[CustomerEdition, ...]
) -> None:
    searched = 0
    for edition in editions:
        organization = edition.organization_id
        inside = amounts(published, organization, *cost_columns(published), "amount_at_stake")
        inside |= forecasts_of_cost(published, organization)
        harmless = amounts(
            published, organization, "total_sales", "quantity", "share", "sales_forecast"
        )
        # Amounts at stake of budget findings, which the sample compares with sales.
        harmless |= amounts(published, organization, "variance_to_date", "year_variance")
        # Sales of a unit, and the changes of sales (see the test of changes).
        harmless |= amounts(published, organization, "unit_price", *OF_CHANGES)
        # Differences between sales and the budgets of units.
        harmless |= amounts(published, organization, "budget_variance")
        # Short figures may also be quantities or days.
        secret = {amount for amount in inside - harmless if len(amount.as_tuple().digits) > 4}
        searched += len(secret)
        assert edition.workbook
        as_floats = {Decimal(repr(float(each))).normalize() for each in secret}
        for name, content in parts(edition.workbook).items():
            assert not numbers_in(content) & as_floats, name
        assert (
            not {each.normalize() for each in values(edition.database) if isinstance(each, Decimal)}
            & secret
        )
        raw = edition.database.read_bytes()
        # Sales of a refund, or with more decimals, may have the same digits.
        beginnings = {
            digits[:end]
            for digits in (f"{abs(each):f}" for each in harmless)
            for end in range(1, len(digits) + 1)
        }
        for amount in secret:
            digits = f"{abs(amount):f}"
            if digits not in beginnings:
                assert digits.encode() not in raw, amount
            if abs(amount) > 100:
                assert as_stored(amount) not in raw, amount
    assert searched > 300


def test_changes_are_those_of_sales(editions: tuple[CustomerEdition, ...]) -> None:
    for edition in editions:
        with duckdb.connect(str(edition.database), read_only=True) as own:
            own.execute("use marts")
            changes = own.execute(
                """
                select billing_period, currency, sum(charged_amount) from chargeback_changes
                group by all having sum(charged_amount) <> 0 order by all
                """
            ).fetchall()
            sales = own.execute(
                """
                select billing_period, currency, sum(sales_after_sharing) from chargeback
                group by all having sum(sales_after_sharing) <> 0 order by all
                """
            ).fetchall()
            assert [row for row in sales if row[0] in {each[0] for each in changes}] == changes
            subscriptions = own.execute(
                """
                select billing_period, subscription_id, sum(amount) from subscription_changes
                group by all having sum(amount) <> 0
                """
            ).fetchall()
            for period, subscription, amount in subscriptions:
                billed = own.execute(
                    "select sum(total_sales) from billing_report where billing_period = $period"
                    " and subscription_id = $subscription and charge_kind = 'cycle'"
                    " and charge_class is null",
                    {"period": period, "subscription": subscription},
                ).fetchall()
                assert billed == [(amount,)]


def test_line_ids_are_masked_by_numbers(
    published: duckdb.DuckDBPyConnection, editions: tuple[CustomerEdition, ...]
) -> None:
    keys = {key for (key,) in published.execute("select line_id from billing_report").fetchall()}
    links = 0
    for edition in editions:
        assert edition.workbook
        assert not keys & values(edition.database)
        strings = parts(edition.workbook)["xl/sharedStrings.xml"].decode()
        assert not any(key in strings for key in keys)
        with duckdb.connect(str(edition.database), read_only=True) as own:
            per_line = own.execute(
                """
                select count(distinct line_id), count(distinct (line_id, cost_center_id)), count(*)
                from marts.billing_report
                """
            ).fetchone()
            expected = published.execute(
                "select count(distinct line_id), count(*), count(*) from billing_report"
                " where organization_id = ?",
                [edition.organization_id],
            ).fetchone()
            assert per_line == expected
            lost = own.execute(
                """
                select refund_of_line_id from marts.billing_report
                where refund_of_line_id not in (select line_id from marts.billing_report)
                """
            ).fetchall()
            assert lost == []
            linked = own.execute("select count(refund_of_line_id) from marts.billing_report")
            links += linked.fetchall()[0][0]
    assert links > 0


def test_budgets_and_forecasts_without_sales_are_not_exported(
    published: duckdb.DuckDBPyConnection, data: DataFolder, tmp_path: Path
) -> None:
    own = [name for name, kind in columns(published, "budget_variance") if "DECIMAL" in kind]
    amounts_set = ", ".join(f"{name} = {CANARY_AMOUNT}" for name in own)
    published.execute(
        f"update budget_variance set amount_basis = 'cost', {amounts_set}"
        " where cost_center_id = 'COB-200'"
    )
    published.execute(
        "update cost_forecast set sales_forecast = null where cost_center_id = 'COB-100'"
    )
    edition = write_customer_edition(
        published, data, Scope(FIRST, LAST, "cobalt", "customer"), tmp_path
    )
    assert CANARY_AMOUNT not in values(edition.database)
    assert as_stored(CANARY_AMOUNT) not in edition.database.read_bytes()
    assert edition.workbook
    assert not any(b"98765" in content for content in parts(edition.workbook).values())
    with duckdb.connect(str(edition.database), read_only=True) as mine:
        budgets = mine.execute("select distinct cost_center_id from marts.budget_variance")
        assert budgets.fetchall() == [("COB-100",)]
        expected = mine.execute(
            "select distinct cost_center_id from marts.cost_forecast order by 1"
        )
        assert expected.fetchall() == [("COB-200",), ("COB-DEFAULT",)]


def test_forecasts_and_budgets_equal_the_published_tables(
    published: duckdb.DuckDBPyConnection, data: DataFolder, tmp_path: Path
) -> None:
    for organization in ("cobalt", "dunmore"):
        edition = write_customer_edition(
            published, data, Scope(FIRST, LAST, organization, "customer"), tmp_path
        )
        budgets = f"select {', '.join(TABLES['budget_variance'])} from {{}} order by all"
        forecasts = "select month, cost_center_id, sales_forecast from {} order by all"
        with duckdb.connect(str(edition.database), read_only=True) as mine:
            for table, sql in (("budget_variance", budgets), ("cost_forecast", forecasts)):
                priced = " and sales_forecast is not null" if table == "cost_forecast" else ""
                theirs = published.execute(
                    sql.format(f"(from {table} where organization_id = '{organization}'{priced})")
                ).fetchall()
                assert mine.execute(sql.format(f"marts.{table}")).fetchall() == theirs
                assert theirs
        book = openpyxl.load_workbook(edition.workbook or "")
        headers = [cell.value for sheet in ("Forecast", "Budget") for cell in book[sheet][1]]
        assert "Sales forecast" in headers and "Year forecast" in headers
        for unseen in ("Cost forecast", "Upper bound (80 %)", "Committed", "Method", "Basis"):
            assert unseen not in headers


def test_provider_descriptions_are_masked(
    published: duckdb.DuckDBPyConnection, data: DataFolder, tmp_path: Path
) -> None:
    published.execute(
        """
        update billing_report set
            source_format = 'focus_cost_and_usage', billing_line_details = '$0.0104 per hour',
            charge_type = 'Usage', charge_start_date = '2026-01-02', charge_end_date = '2026-01-03'
        where organization_id = 'cobalt'
        """
    )
    edition = write_customer_edition(
        published, data, Scope(FIRST, LAST, "cobalt", "customer"), tmp_path
    )
    with duckdb.connect(str(edition.database), read_only=True) as own:
        details = own.execute("select distinct billing_line_details from marts.billing_report")
        assert details.fetchall() == [("Usage. From 2 Jan 2026 to 3 Jan 2026",)]


def test_explanations_state_the_split_and_the_amount_and_no_cost(
    published: duckdb.DuckDBPyConnection, data: DataFolder, tmp_path: Path
) -> None:
    # Postings of corrections have sentences of their own, with cost.
    for number, sentence in enumerate(
        (
            "the re-issued invoice does not contain this line of closed period 2026-01:"
            " the amount billed to Law, 77.25, is reversed",
            "correction of closed period 2026-01, approved by Ann (77.25, so cost is 77.25):"
            " the cost of this line for the cost center changes by 77.25",
        )
    ):
        published.execute(
            f"""
            update billing_report
            set explanation = '{sentence}', original_billing_period = '2026-01'
            where (line_id, cost_center_id) = (
                select (line_id, cost_center_id) from billing_report
                where organization_id = 'dunmore' and billing_period = '2026-04'
                order by line_id, cost_center_id limit 1 offset {number}
            )
            """
        )
    edition = write_customer_edition(
        published, data, Scope(FIRST, LAST, "dunmore", "customer"), tmp_path
    )
    with duckdb.connect(str(edition.database), read_only=True) as own:
        own.execute("use marts")
        found = {
            words for (words,) in own.execute("select explanation from billing_report").fetchall()
        }
        assert None not in found
        assert not [words for words in found if "cost is" in words or "77.25" in words]
        # By hand: 128 sold at 8 percent more is 138.24; 138.24 x 4 / 10 = 55.296.
        assert (
            "cycle (cutoff 2026-01-05 00:00 UTC), the split allocates more licenses than there are:"
            " shares are of the allocated licenses: split of 2026-01-02 10:45 UTC (Cost center"
            " split adjusted), Engineering has 4 of 10, so the amount is 55.296"
        ) in found
        corrected = {words for words in found if words and "closed period 2026-01" in words}
        assert corrected == {
            "the re-issued invoice does not contain this line of closed period 2026-01: the amount"
            " billed is reversed",
            "correction of closed period 2026-01: the split of this line was changed, and the"
            " amount with it",
        }
        shared = own.execute("select explanation, shared_sales from shared_costs").fetchall()
        assert shared
        for words, amount in shared:
            assert re.fullmatch(
                rf".+ passes on .+ by [a-z ]+: .+ receives {re.escape(f'{amount.normalize():f}')}",
                words,
            )


def test_no_visible_column_is_about_cost_and_every_one_is_published(
    published: duckdb.DuckDBPyConnection,
) -> None:
    for table, names in TABLES.items():
        assert not cost_columns(published) & set(names)
        assert set(names) <= {name for name, _ in columns(published, table)}


# --- no other organization -----------------------------------------------------------------------


def test_no_file_names_another_organization(
    published: duckdb.DuckDBPyConnection, editions: tuple[CustomerEdition, ...]
) -> None:
    owned = published.execute(
        """
        select distinct organization_id, unnest([
            organization_id, organization_name, invoice_number, subscription_id, cost_center_id
        ])
        from billing_report
        """
    ).fetchall()
    for edition in editions:
        mine = {name for owner, name in owned if owner == edition.organization_id}
        others = {name for _, name in owned if name} - mine
        assert not others & values(edition.database)
        raw = edition.database.read_bytes()
        assert edition.workbook
        text = b"".join(parts(edition.workbook).values())
        # Short numbers occur everywhere.
        others = {name for name in others if len(name) > (8 if name.isdigit() else 3)}
        assert len(others) > 10
        for name in others:
            assert name.encode() not in raw, name
            assert name.replace("&", "&amp;").encode() not in text, name


# --- visible figures -------------------------------------------------------------------


def test_sales_equal_the_published_report(
    published: duckdb.DuckDBPyConnection, editions: tuple[CustomerEdition, ...]
) -> None:
    for edition in editions:
        (expected,) = published.execute(
            "select sum(total_sales) from billing_report where organization_id = ?",
            [edition.organization_id],
        ).fetchall()[0]
        assert edition.workbook and edition.figures
        assert edition.figures.total_cost == {}
        assert sum(each or 0 for each in edition.figures.total_sales.values()) == (expected or 0)
        with duckdb.connect(str(edition.database), read_only=True) as own:
            for table in ("billing_report", "chargeback", "chargeback_as_corrected"):
                sales = own.execute(f"select sum(total_sales) from marts.{table}").fetchone()
                assert sales == (expected,), table
        check_package(edition.workbook)
        book = openpyxl.load_workbook(edition.workbook, data_only=True)
        assert book["Summary"]["A2"].value == "Check: OK"
        charged = {
            (row[4], row[1]): row[6]
            for row in book["By cost center"].iter_rows(min_row=5, values_only=True)
            if row[4]
        }
        assert [cell.value for cell in book["By cost center"][4]][6:8] == [
            "Charged",
            "Sales before sharing",
        ]
        with duckdb.connect(str(edition.database), read_only=True) as own:
            statements = own.execute(
                """
                select cost_center_id, currency, sum(amount)
                from marts.statement_lines
                group by all
                """
            ).fetchall()
        assert len(statements) == len(charged)
        for cost_center, currency, amount in statements:
            assert charged[cost_center, currency] == pytest.approx(float(amount), abs=1e-9)
        header = [cell.value for cell in book["Detail"][1]]
        assert "Sales" in header
        assert not {"Cost", "Margin", "Invoice no"} & set(header)
        assert {sheet.sheet_state for sheet in book} == {"visible"}
        assert not any(
            dimension.hidden for sheet in book for dimension in sheet.column_dimensions.values()
        )


def test_the_database_opens_in_old_clients_and_describes_its_columns(
    sample_company: Company, data: DataFolder, tmp_path: Path
) -> None:
    with open_published(sample_company.data, data.root) as connection:
        edition = write_customer_edition(
            connection, data, Scope(FIRST, LAST, "cobalt", "customer"), tmp_path
        )
    with duckdb.connect() as own:
        own.execute(f"attach '{edition.database}' as customer (read_only)")
        (version,) = own.execute(
            "select tags['storage_version'] from duckdb_databases() where database_name = ?",
            ["customer"],
        ).fetchall()[0]
        assert version.startswith("v1.0.0")
        described = own.execute(
            """
            select table_name, column_name, comment from duckdb_columns()
            where database_name = 'customer'
            """
        ).fetchall()
        assert {(table, name) for table, name, _ in described} == {
            (table, name) for table, names in TABLES.items() for name in names
        }
        assert all(comment for _, _, comment in described)
        comments = own.execute("select comment from duckdb_tables()").fetchall()
        assert len(comments) == len(TABLES) and all(comment for (comment,) in comments)
        # Descriptions do not mention data that customers do not receive.
        words = [comment for *_, comment in described] + [comment for (comment,) in comments]
        for unseen in ("bands", "expected cost", "proportion to cost"):
            assert not [comment for comment in words if unseen in comment], unseen


# --- files -----------------------------------------------------------------------------------


def test_ids_that_are_not_file_names_get_safe_and_unique_ones(
    published: duckdb.DuckDBPyConnection, data: DataFolder, tmp_path: Path
) -> None:
    hostile = {"alder": "../x", "brightwater": "..\\X", "cobalt": "x", "dunmore": "/etc/passwd"}
    for table, names in TABLES.items():
        for old, new in hostile.items() if "organization_id" in names else ():
            published.execute(
                f"update {table} set organization_id = ? where organization_id = ?", [new, old]
            )
    folder = tmp_path / "exports"
    editions = list(write_customer_editions(published, data, "2026-01", "2026-01", folder))
    databases = [edition.database for edition in editions]
    assert len({str(path).casefold() for path in databases}) == len(databases) >= 5
    assert {path.parent for path in databases} == {customer_folder(data)}
    for edition in editions:
        if edition.workbook:
            assert edition.workbook.parent.parent == folder
        with duckdb.connect(str(edition.database), read_only=True) as own:
            owners = own.execute("select distinct organization_id from marts.billing_report")
            assert owners.fetchall() == [(edition.organization_id,)]
    # Two ids with the same name both get a hash.
    assert "x" not in organization_file_names(published).values()


def test_the_database_of_an_organization_without_bills_is_removed(
    published: duckdb.DuckDBPyConnection, data: DataFolder, tmp_path: Path
) -> None:
    # In a period without bills, editions are databases alone.
    list(write_customer_editions(published, data, "2031-01", "2031-01", tmp_path))
    assert "cobalt.duckdb" in {path.name for path in customer_folder(data).iterdir()}
    published.execute("delete from billing_report where organization_id = 'cobalt'")
    list(write_customer_editions(published, data, "2031-01", "2031-01", tmp_path))
    names = {path.name for path in customer_folder(data).iterdir()}
    assert "alder.duckdb" in names
    assert not {name for name in names if "cobalt" in name or "building" in name}


def test_a_period_without_a_bill_gives_a_database_only(
    published: duckdb.DuckDBPyConnection, data: DataFolder, tmp_path: Path
) -> None:
    edition = write_customer_edition(
        published, data, Scope("2031-01", "2031-01", "cobalt", "customer"), tmp_path
    )
    assert edition.workbook is None and edition.figures is None
    assert edition.statements == ()
    assert edition.database.exists()
    assert not list(tmp_path.rglob("*.xlsx*"))


def test_a_failed_edition_leaves_the_old_database_in_place(
    published: duckdb.DuckDBPyConnection, data: DataFolder, tmp_path: Path
) -> None:
    scope = Scope(FIRST, LAST, "cobalt", "customer")
    before = write_customer_edition(published, data, scope, tmp_path).database.read_bytes()
    published.execute("drop table license_pool")
    with pytest.raises(duckdb.CatalogException):
        write_customer_edition(published, data, scope, tmp_path)
    (database,) = customer_folder(data).iterdir()
    assert database.read_bytes() == before


def test_an_edition_of_an_unknown_organization_is_refused(
    published: duckdb.DuckDBPyConnection, data: DataFolder, tmp_path: Path
) -> None:
    with pytest.raises(NothingInScope, match="nobody"):
        write_customer_edition(published, data, Scope(FIRST, LAST, "nobody", "customer"), tmp_path)
    with pytest.raises(ValueError, match="scope of the edition customer"):
        write_customer_edition(published, data, Scope(FIRST, LAST, "cobalt"), tmp_path)
