"""The cost centers that an organization can split over, from the warehouse.

Belongs here: the only query of the app outside the published marts, which list cost centers with
charges only. The warehouse admits one process at a time, so the query holds the writer's lock.
"""

from dataclasses import dataclass, replace

from app.splits import CostCenter
from dagster_project import database, relations
from dagster_project.errors import ApportionError
from dagster_project.quoting import sql_literal
from dagster_project.settings import DataFolder, Limits
from dagster_project.writer import only_writer

WAIT_SECONDS = 3


class NoWarehouse(ApportionError):
    """The warehouse does not exist; a run builds it."""


@dataclass(frozen=True)
class Splitting:
    """The cost centers of an organization, and whether it splits by its directory."""

    cost_centers: tuple[CostCenter, ...]
    is_by_directory: bool


def read_splitting(data: DataFolder, organization_id: str) -> Splitting:
    """Cost centers of an organization as of the last run, Default last.

    Raises NoWarehouse, and WarehouseBusy while a run is writing.
    """
    if not data.warehouse.exists():
        raise NoWarehouse("the warehouse does not exist: run make run to build it")
    limits = replace(Limits.from_environment(), lock_wait_seconds=WAIT_SECONDS)
    with only_writer(data, limits), database.connect(folders=(data.root,)) as connection:
        connection.execute(f"attach {sql_literal(data.warehouse)} as warehouse (read_only)")
        rows = connection.execute(
            f"""
            with defaults as (
                select * from warehouse.{relations.DEFAULT_COST_CENTERS}
                where organization_id = $organization_id
            )
            select
                centers.cost_center_id,
                coalesce(centers.cost_center_name, centers.cost_center_id) as name,
                centers.cost_center_id in (select cost_center_id from defaults) as is_default,
                centers.valid_from, centers.valid_to
            from warehouse.{relations.COST_CENTERS} as centers
            where centers.organization_id = $organization_id
            union all by name
            select cost_center_id, cost_center_name as name, true as is_default
            from defaults
            where cost_center_id not in (
                select cost_center_id from warehouse.{relations.COST_CENTERS}
                where organization_id = $organization_id
            )
            order by is_default, name, cost_center_id
            """,
            {"organization_id": organization_id},
        ).fetchall()
        by_directory = connection.execute(
            f"""
            select count(*) from warehouse.{relations.ORGANIZATIONS}
            where organization_id = $organization_id and split_source = 'directory'
            """,
            {"organization_id": organization_id},
        ).fetchone()
    return Splitting(
        tuple(CostCenter(*row) for row in rows), bool(by_directory and by_directory[0])
    )
