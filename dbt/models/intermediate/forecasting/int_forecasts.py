"""Composed forecasts of the series, in Python for the statistics. Estimates are floats.

DuckDB computes them in processes of this machine and reuses those of unchanged series, Apache Spark
on its workers, all of them.
"""

import os


def model(dbt, session):
    """One row per series and future month: seat change, usage, bands, method, history hash."""
    from dagster_project import composed_forecast

    models = dbt.config.meta_get("forecast_models")
    series = dbt.ref("int_forecast_series")
    if not hasattr(series, "df"):
        from dagster_project.spark import forecasts

        return forecasts.of_table(series, models)
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
        composed_forecast.months_of(series.df()),
        earlier,
        models=models,
        processes=os.cpu_count() or 1,
        progress=_tell,
    )
    return forecasts.rename(columns={"unique_id": "series_id", "ds": "month"})


def _tell(done, total):
    # About twenty lines, however many series there are.
    if total > 50 and (done % max(50, total // 20) == 0 or done == total):
        print(f"Forecasting   {done:,} of {total:,} series", flush=True)
