"""Numbers for the billing lines of one customer, in place of line ids.

A line id is a hash of the billed line with its cost; a reader who knows the other values finds the
cost by trial. Belongs here: the order of lines. Does not: where a number is shown.
"""

import duckdb

from dagster_project.exports.visibility import OWN_ROWS, visible_marts


def number_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """Number the lines of the variable `organization` as temp.customer_lines, e.g. 2026-01-0017.

    Lines of closed periods keep their number. The order is that of the values which the customer
    sees, then that of the bill: the order of line ids would depend on costs. A reference to one of
    several equal lines is shown as one to the first of them, `first_equal_line_id`, because costs
    decide which of them is refunded.
    """
    columns = connection.table("billing_report").columns
    visible = ", ".join(visible_marts()["billing_report"].values({}, columns).values())
    connection.execute(
        f"""
        create or replace temp table customer_lines as
        with rows as (
            select *, concat_ws('|', {visible}) as content
            from billing_report
            where {OWN_ROWS}
        ),

        lines as (
            select
                line_id,
                min(billing_period) as billing_period,
                min(billing_date) as billing_date,
                min(subscription_id) as subscription_id,
                min(charge_start_date) as charge_start_date,
                min(charge_end_date) as charge_end_date,
                min(charge_type) as charge_type,
                sum(total_sales) as total_sales,
                string_agg(content, ';' order by content) as content,
                min(row_number) as place
            from rows
            group by line_id
        )

        select
            line_id,
            first_value(line_id) over (
                partition by billing_period, content order by place, line_id
            ) as first_equal_line_id,
            printf(
                '%s-%04d', billing_period,
                row_number() over (
                    partition by billing_period
                    order by
                        billing_date, subscription_id, charge_start_date, charge_end_date,
                        charge_type, total_sales, content, place, line_id
                )
            ) as number
        from lines
        """
    )
