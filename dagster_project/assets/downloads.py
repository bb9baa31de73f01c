"""Downloads before landing is read: invoices of the billing export, if configured."""

import dagster as dg

from dagster_project.assets.resources import Warehouse
from dagster_project.errors import ApportionError
from dagster_project.partner_center.download import DownloadedExport, download_exports
from dagster_project.partner_center.errors import ExportUnavailable
from dagster_project.partner_center.settings import ExportSettings

BILLING_EXPORT_KEY = dg.AssetKey(["downloads", "billing_export"])


@dg.asset(
    key=BILLING_EXPORT_KEY,
    group_name="raw",
    kinds={"json"},
    description="Invoices from Partner Center's billing export, copied to landing unchanged; "
    "off unless APPORTION_EXPORT_URL is set.",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL),
)
def billing_export_downloads(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Download the export of each configured invoice unless landing has its version."""

    def tell(message: str) -> None:
        context.log.info(message)
        # An export takes minutes, and a run in the terminal shows no log.
        print(message, flush=True)

    try:
        settings = ExportSettings.from_environment()
        if settings is None:
            return dg.MaterializeResult(metadata={"status": "off: set APPORTION_EXPORT_URL"})
        exports = download_exports(settings, warehouse.data.landing, progress=tell)
    except ExportUnavailable:
        raise
    except ApportionError as fault:
        raise dg.Failure(description=str(fault), allow_retries=False) from fault
    return dg.MaterializeResult(
        metadata={
            "status": "on",
            "downloaded": sum(export.is_new for export in exports),
            "in_landing_already": sum(not export.is_new for export in exports),
            "exports": dg.MetadataValue.md(_export_table(exports)),
        }
    )


def _export_table(exports: tuple[DownloadedExport, ...]) -> str:
    rows = [
        f"| {export.invoice_id} | {export.folder.name} | {export.blob_count:,}"
        f" | {export.size_bytes:,} | {'new' if export.is_new else 'in landing already'} |"
        for export in exports
    ]
    return "\n".join(["| invoice | folder | blobs | bytes | |", "|---|---|---|---|---|", *rows])
