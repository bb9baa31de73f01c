"""Forecasts of the cost series, in Python for the statistics. Estimates are floats.

Sales of cost centers are forecast from their own history and known sales. A forecast in proportion
to the cost would show customers how the cost develops. The id of such a series begins with SALES.
"""

import os

SALES = "sales:"


def model(dbt, session):
    """One row per series and future month: forecast, bands, method and hash of the history."""
    import pandas

    from dagster_project import forecasting

    series = dbt.ref("int_forecast_series").df()
    of_cost = series.rename(columns={"series_id": "unique_id", "month": "ds", "cost": "y"})
    is_sold = series["sales"].notna().groupby(series["series_id"]).transform("any")
    of_sales = series[is_sold & series["is_latest"] & (series["level"] == "cost_center")]
    of_sales = of_sales.assign(
        unique_id=SALES + of_sales["series_id"], y=of_sales["sales"].fillna(0)
    ).rename(columns={"month": "ds"})
    columns = ["unique_id", "ds", "y", "is_history"]
    months = pandas.concat([of_cost[columns], of_sales[columns]], ignore_index=True)
    # A forecast of a thousand cost centers takes minutes. Forecasts of unchanged histories are
    # therefore reused from the last build.
    is_built = session.execute(
        "select count(*) > 0 from duckdb_tables() where schema_name = ? and table_name = ?",
        [dbt.this.schema, dbt.this.identifier],
    ).fetchone()[0]
    earlier = None
    if is_built:
        earlier = session.execute(f"select * from {dbt.this}").df()
        earlier = earlier.rename(columns={"series_id": "unique_id", "month": "ds"})
    forecasts = forecasting.forecast_monthly_or_expected(
        months[months["is_history"]],
        months[~months["is_history"]],
        earlier,
        processes=os.cpu_count() or 1,
        progress=_tell,
    )
    return forecasts.rename(columns={"unique_id": "series_id", "ds": "month"})


def _tell(done, total):
    if done % 50 == 0 or (done == total and total > 50):
        print(f"Forecasting   {done:,} of {total:,} series", flush=True)
