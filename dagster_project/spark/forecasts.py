"""Forecasts by Spark's grouped map: each worker forecasts some of the series.

Each series is forecast for itself, except for the usual change of all series, which is one number.
The figures are those of one machine, to the last bit: the code is `composed_forecast`, the library
has the same version, and DuckDB makes floats of the decimals here too.

Belongs here: how the series reach the workers. Does not: forecasting.
"""

from functools import cache
from typing import Any

import duckdb
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa

from dagster_project import composed_forecast, database, forecasting
from dagster_project.settings import PROJECT_ROOT

FEWEST_TASKS = 2

COLUMNS = {"unique_id": "series_id", "ds": "month"}
"""The columns of `composed_forecast` that have another name in tables."""

TYPES = {"string": "string", "datetime64[us]": "timestamp_ntz", "float64": "double"}


def of_table(series: Any, models: str) -> Any:
    """The forecasts of Spark's table of series, a table of Spark that is not computed yet.

    It has the columns of `composed_forecast.compose`. `models` is a `ModelSet`.
    """
    from pyspark.sql.pandas.types import to_arrow_schema

    root, schema = str(PROJECT_ROOT), to_arrow_schema(series.schema)

    def on_worker(name: str, *arguments: Any) -> Any:
        """A function of this module, which a worker imports after it knows where."""

        def of_rows(rows: Any) -> Any:
            import sys

            if root not in sys.path:
                sys.path.insert(0, root)
            from dagster_project.spark import forecasts

            return getattr(forecasts, name)(rows, schema, *arguments)

        return of_rows

    tasks = max(int(series.sparkSession.conf.get("spark.sql.shuffle.partitions")), FEWEST_TASKS)
    # With a number, so that Spark does not join tasks of few rows: their time is not the rows'.
    by_series = series.repartition(tasks, "series_id").groupBy("series_id")
    changes = by_series.applyInPandas(on_worker("changes_of_rows"), "change double").collect()
    usual_change = forecasting.usual_of([row["change"] for row in changes])
    columns = ", ".join(
        f"{COLUMNS.get(name, name)} {TYPES[kind]}"
        for name, kind in composed_forecast.COMPOSED_TYPES.items()
    )
    on_rows = on_worker("forecasts_of_rows", models, usual_change)
    return by_series.applyInPandas(on_rows, columns)


def changes_of_rows(rows: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    """The typical changes of the series in these rows, and of their sales: change."""
    return pd.DataFrame({"change": composed_forecast.typical_changes(_months(rows, schema))})


def forecasts_of_rows(
    rows: pd.DataFrame, schema: pa.Schema, models: str, usual_change: float
) -> pd.DataFrame:
    """The forecasts of the series in these rows, and of their sales."""
    forecasts = composed_forecast.compose(
        _months(rows, schema), models=models, usual_change=usual_change
    )
    return forecasts.rename(columns=COLUMNS)


def _months(rows: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    # Two ways to make a float of a decimal differ in the last bit.
    table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
    return composed_forecast.months_of(_connection().from_arrow(table).df())


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return database.connect()
