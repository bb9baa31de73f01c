"""Visibility for organizations: denied by default, read from the dbt manifest."""

from typing import Any

import duckdb
import pytest
from conftest import Company

from dagster_project import dbt_runner
from dagster_project.exports.scope import open_published
from dagster_project.exports.visibility import (
    UnknownVisibility,
    Visibility,
    read_visible_marts,
    require_customer_tables,
    visible_marts,
)

VISIBLE = {"visibility": "organization"}


def node(
    name: str, meta: dict[str, str], columns: dict[str, dict[str, str]], schema: str = "marts"
) -> dict[str, Any]:
    """A model as a dbt manifest has it."""
    return {
        "name": name,
        "resource_type": "model",
        "config": {"schema": schema, "meta": meta},
        "columns": {column: {"config": {"meta": own}} for column, own in columns.items()},
    }


def manifest(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": {each["name"]: each for each in nodes}}


def test_a_column_without_visibility_is_hidden() -> None:
    marts = read_visible_marts(
        manifest(node("bills", VISIBLE, {"organization_id": VISIBLE, "new_column": {}}))
    )
    assert list(marts["bills"].columns) == ["organization_id"]
    assert marts["bills"].values({}, ["organization_id", "new_column"]) == {
        "organization_id": '"organization_id"'
    }


def test_a_mart_without_visibility_is_hidden_regardless_of_its_columns() -> None:
    assert read_visible_marts(manifest(node("bills", {}, {"organization_id": VISIBLE}))) == {}


def test_a_model_that_is_not_a_mart_is_hidden() -> None:
    inner = node("int_bills", VISIBLE, {"organization_id": VISIBLE}, schema="intermediate")
    assert read_visible_marts(manifest(inner)) == {}


def test_a_masked_column_needs_a_mask() -> None:
    (mart,) = read_visible_marts(
        manifest(node("bills", VISIBLE, {"line_id": {"visibility": "organization_masked"}}))
    ).values()
    assert mart.values({}, ["line_id"]) == {}
    assert mart.values({"line_id": "lines.number"}, ["line_id"]) == {"line_id": "lines.number"}
    assert mart.values({"line_id": "lines.number"}, []) == {}


def test_a_mistyped_visibility_is_refused_with_its_place() -> None:
    wrong = {"visibility": "organisation"}
    with pytest.raises(UnknownVisibility, match=r"bills\.amount: visibility is 'organisation'"):
        read_visible_marts(manifest(node("bills", VISIBLE, {"amount": wrong})))
    with pytest.raises(UnknownVisibility, match="bills: visibility is 'organisation'"):
        read_visible_marts(manifest(node("bills", wrong, {})))


def test_rows_are_those_of_the_organization_and_of_the_condition_of_the_mart() -> None:
    meta = {**VISIBLE, "organization_rows": "amount_basis = 'sales' or amount_basis is null"}
    marts = read_visible_marts(
        manifest(
            node("bills", meta, {"organization_id": VISIBLE}),
            node("periods", VISIBLE, {"billing_period": VISIBLE, "currency": VISIBLE}),
        )
    )
    with duckdb.connect() as connection:
        connection.execute("set variable organization = 'acme'")
        connection.execute(
            """
            create table bills as from (values
                ('acme', 'sales'), ('acme', 'cost'), ('acme', null), ('other', null)
            ) as bills(organization_id, amount_basis)
            """
        )
        connection.execute(
            """
            create table chargeback as from (values
                ('acme', '2026-01', 'USD'), ('other', '2026-02', 'USD'), ('other', '2026-01', 'EUR')
            ) as chargeback(organization_id, billing_period, currency)
            """
        )
        connection.execute(
            "create table periods as select distinct billing_period, currency from chargeback"
        )
        bills = connection.execute(f"from bills where {marts['bills'].condition()} order by all")
        assert bills.fetchall() == [("acme", "sales"), ("acme", None)]
        periods = connection.execute(f"from periods where {marts['periods'].condition()}")
        assert periods.fetchall() == [("2026-01", "USD")]


def test_the_marts_with_visibility_are_published_with_all_visible_columns(
    sample_company: Company,
) -> None:
    assert visible_marts() == read_visible_marts(dbt_runner.read_manifest())
    with open_published(sample_company.data) as connection:
        for mart in visible_marts().values():
            assert mart.columns, mart.name
            assert set(mart.columns) <= set(connection.table(mart.name).columns), mart.name
            if mart.visibility is Visibility.ORGANIZATION and "organization_id" not in mart.columns:
                assert {"billing_period", "currency"} <= set(mart.columns), mart.name


def test_published_tables_are_refused_for_a_customer(sample_company: Company) -> None:
    with (
        open_published(sample_company.data) as connection,
        pytest.raises(ValueError, match="customer's own tables; chargeback has total_cost"),
    ):
        require_customer_tables(connection, "chargeback")
