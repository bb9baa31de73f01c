"""The marts for BI, published once every blocking check has passed."""

import dagster as dg

from dagster_project import publish, run_state
from dagster_project.assets.resources import Warehouse
from dagster_project.assets.warehouse import MANIFEST, warehouse_models
from dagster_project.ledger import anchors
from dagster_project.ledger.postings import read_postings

MART_KEYS = [key for key in warehouse_models.keys if key.path[0] == "marts"]


@dg.asset(
    key="published",
    deps=MART_KEYS,
    group_name="published",
    kinds={"duckdb", "parquet"},
    description="The marts as one DuckDB file and Parquet files, switched in one step.",
)
def published(warehouse: Warehouse) -> dg.MaterializeResult:
    """Switch `published/` to the marts just built."""
    marts = publish.publish(warehouse.data, MANIFEST, run_state.begun(warehouse.data))
    anchors.remember(warehouse.data, read_postings(warehouse.data.ledger))
    run_state.remember(warehouse.data)
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(str(warehouse.data.published_database)),
            "rows": dg.MetadataValue.md(
                "\n".join(
                    ["| mart | rows |", "|---|---|"]
                    + [f"| {mart.name} | {mart.row_count:,} |" for mart in marts]
                )
            ),
        }
    )
