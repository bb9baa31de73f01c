"""Queries for amounts in the reporting currency: converted totals and the rates used.

Belongs here: rows of the mart chargeback_in_reporting_currency. Does not: amounts in the currency
they are billed in (charges).
"""

from app.queries.query import Query, Selection

MART = "chargeback_in_reporting_currency"


def total(selection: Selection) -> Query:
    """One row: the reporting currency, and the converted total of all currencies.

    `unknown_count` are the amounts without a known rate. No row without a reporting currency.
    """
    return Query(
        f"""
        select
            reporting_currency as currency,
            last_day(max(billing_period_start)) as period_end,
            sum(charged_amount_in_reporting_currency) as charged_amount,
            count(*) filter (
                charged_amount <> 0 and charged_amount_in_reporting_currency is null
            ) as unknown_count
        from {MART}
        where {selection.where()}
        group by reporting_currency
        order by reporting_currency
        """,
        selection.parameters,
    )


def rates(selection: Selection) -> Query:
    """One row per other currency with a charge: the sum, and the rate with its date."""
    return Query(
        f"""
        select
            currency, reporting_currency, exchange_rate, exchange_rate_date,
            sum(charged_amount) as charged_amount
        from {MART}
        where {selection.where()} and currency <> reporting_currency
        group by currency, reporting_currency, exchange_rate, exchange_rate_date
        having bool_or(charged_amount <> 0)
        order by currency
        """,
        selection.parameters,
    )
