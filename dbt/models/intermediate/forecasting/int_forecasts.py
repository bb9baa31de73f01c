"""Composed forecasts of the series, in Python for the statistics. Estimates are floats.

Sales of cost centers are forecast from their own history and known sales. A forecast in proportion
to the cost would show customers how the cost develops. The id of such a series begins with SALES.
"""

import os

SALES = "sales:"


def model(dbt, session):
    """One row per series and future month: seat change, usage, bands, method, history hash."""
    import pandas

    from dagster_project import composed_forecast

    series = dbt.ref("int_forecast_series").df()
    of_cost = series.rename(columns={"series_id": "unique_id", "month": "ds"})
    is_sold = series["sales"].notna().groupby(series["series_id"]).transform("any")
    of_sales = of_cost[is_sold & series["is_latest"] & (series["level"] == "cost_center")]
    sales, is_history = of_sales["sales"].astype("float64").fillna(0.0), of_sales["is_history"]
    past, owed = sales.where(is_history, 0.0), of_sales["committed_sales"].astype("float64")
    of_sales = of_sales.assign(
        unique_id=SALES + of_sales["unique_id"],
        cost=past,
        recurring_cost=past,
        usage_cost=0.0,
        committed_cost=owed,
        renewal_cost=sales.where(~is_history, 0.0) - owed,
        renewal_variance=0.0,
    )
    columns = composed_forecast.INPUT_COLUMNS
    months = pandas.concat([of_cost[columns], of_sales[columns]], ignore_index=True)
    # Forecasts of unchanged series are reused from the last build.
    is_built = session.execute(
        "select count(*) > 0 from duckdb_tables() where schema_name = ? and table_name = ?",
        [dbt.this.schema, dbt.this.identifier],
    ).fetchone()[0]
    earlier = None
    if is_built:
        earlier = session.execute(f"select * from {dbt.this}").df()
        earlier = earlier.rename(columns={"series_id": "unique_id", "month": "ds"})
    forecasts = composed_forecast.compose(
        months,
        earlier,
        models=dbt.config.meta_get("forecast_models"),
        processes=os.cpu_count() or 1,
        progress=_tell,
    )
    return forecasts.rename(columns={"unique_id": "series_id", "ds": "month"})


def _tell(done, total):
    # About twenty lines, however many series there are.
    if total > 50 and (done % max(50, total // 20) == 0 or done == total):
        print(f"Forecasting   {done:,} of {total:,} series", flush=True)
