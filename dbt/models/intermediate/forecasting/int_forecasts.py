"""Forecasts of the cost series, in Python for the statistics. Estimates are floats."""

import os


def model(dbt, session):
    """One row per series and future month: forecast, bands, method and hash of the history."""
    from dagster_project import forecasting

    months = dbt.ref("int_forecast_series").df()
    months = months.rename(columns={"series_id": "unique_id", "month": "ds", "cost": "y"})
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
