"""The published data folder of a small company, for the tests of the app.

January 2026 is closed, February open. Evergreen (USD) has sales and the splits of the provider's
published example, with a cost center that is deleted in February; Harbor (EUR) has no sales, a
name that is markup and a cost center whose name is a formula. A row of February is in quarantine.
Sales is over its budget, Marketing is within it, Dock is forecast to exceed it by year end.
"""

import shutil
from pathlib import Path

from builds import MODELS_ONLY
from conftest import Company, MadeOnce

from dagster_project import dbt_runner, publish, run_state
from dagster_project.exports.scope import open_published
from dagster_project.ledger import closing
from dagster_project.settings import DataFolder

BILL_HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,TotalSales,ChargeStartDate,BillingDate,"
    "BillingLineDetails,Organization,Currency\n"
)
JANUARY = BILL_HEADER + "".join(
    f"{subscription},{product},{quantity},{cost},{sales},{start} 2025,6 Jan 2026,"
    f"{kind}. From {start} 2025 to {end} ({days} days),{organization},{currency}\n"
    for subscription, product, quantity, cost, sales, start, end, days, kind, organization, currency
    in (
        ("123", "Microsoft 365 E3", 15, "-145.65", "-182.05", "17 Dec", "27 Dec 2025", 11,
         "addQuantity", "evergreen", "USD"),
        ("123", "Microsoft 365 E3", 20, "194.2", "242.7333333", "17 Dec", "27 Dec 2025", 11,
         "addQuantity", "evergreen", "USD"),
        ("123", "Microsoft 365 E3", 20, "529.6", "662", "28 Dec", "27 Jan 2026", 31,
         "cycleCharge", "evergreen", "USD"),
        ("900", "Copilot", 3, "90", "", "10 Dec", "9 Jan 2026", 31,
         "cycleCharge", "harbor", "EUR"),
    )
)  # fmt: skip
FEBRUARY = (
    BILL_HEADER + "123,Microsoft 365 E3,20,1234567.891234,1300000,28 Jan 2026,6 Feb 2026,"
    "cycleCharge. From 28 Jan 2026 to 27 Feb 2026 (31 days),evergreen,USD\n"
    "900,Copilot,3,90,,10 Jan 2026,6 Feb 2026,"
    "cycleCharge. From 10 Jan 2026 to 9 Feb 2026 (31 days),harbor,EUR\n"
    "900,Copilot,3,not a number,,10 Jan 2026,6 Feb 2026,"
    "cycleCharge. From 10 Jan 2026 to 9 Feb 2026 (31 days),harbor,EUR\n"
    + "".join(
        f"456,Power BI Pro,{number},{number}.10,{number}.50,{number % 28 + 1} Jan 2026,6 Feb 2026,"
        f"addQuantity. From {number % 28 + 1} Jan 2026 to 31 Jan 2026"
        f" ({31 - number % 28} days),evergreen,USD\n"
        for number in range(1, 61)
    )
)
SPLITS = (
    "Subscription ID,Event,Datetime,Total Quantity,Cost Center,Allocated Quantity,Organization\n"
    "123,Cost center split adjusted,2025-12-15,15,Sales,10,evergreen\n"
    "123,Cost center split adjusted,2025-12-15,15,Marketing,5,evergreen\n"
    "123,Cost center split adjusted,2025-12-15,15,Default,0,evergreen\n"
    "123,Cost center split adjusted,2025-12-20,20,Sales,10,evergreen\n"
    "123,Cost center split adjusted,2025-12-20,20,Marketing,7,evergreen\n"
    "123,Cost center split adjusted,2025-12-20,20,Default,3,evergreen\n"
    "900,Cost center split adjusted,2025-12-01,3,=Dock,3,harbor\n"
)
COST_CENTERS = (
    "Cost Center ID,Organization,Name,Is Default,Valid To,Business Unit\n"
    "EVG-SALES,evergreen,Sales,false,,Commerce\n"
    "EVG-MKT,evergreen,Marketing,false,,Commerce\n"
    "EVG-OLD,evergreen,Mail Order,false,2026-02-01,\n"
    "EVG-DEFAULT,evergreen,Default,true,,\n"
    "HAR-1,harbor,=Dock,false,,\n"
)
ORGANIZATIONS = (
    "Organization,Name,Currency\nevergreen,Evergreen Retail,USD\nharbor,Harbor <b>&</b> Co,EUR\n"
)
# Marketing receives a tenth of Power BI, which is in Default.
SHARED_COSTS = (
    "Organization,Product,Method,Cost Center ID,Percent,Valid From\n"
    "evergreen,Power BI Pro,percent,EVG-MKT,10,2026-02-01\n"
)
BUDGETS = (
    "Cost Center ID,Month,Currency,Amount\n"
    "EVG-SALES,2026-01,USD,300\n"
    "EVG-SALES,2026-02,USD,300\n"
    "EVG-MKT,2026-02,USD,9000000\n"
    "HAR-1,2026-01,EUR,100\n"
    "HAR-1,2026-02,EUR,100\n"
)
MANUAL_FORECASTS = (
    "Cost Center ID,Month,Currency,Amount\n"
    "EVG-SALES,2026-03,USD,320\n"
    "HAR-1,2026-01,EUR,80\n"
    "HAR-1,2026-02,EUR,95\n"
)
LANDING = {
    "billing_lines/2026-01.csv": JANUARY,
    "billing_lines/2026-02.csv": FEBRUARY,
    "split_history/splits.csv": SPLITS,
    "cost_centers/cost_centers.csv": COST_CENTERS,
    "organizations/organizations.csv": ORGANIZATIONS,
    "shared_costs/rules.csv": SHARED_COSTS,
    "budgets/budgets.csv": BUDGETS,
    "manual_forecasts/manual.csv": MANUAL_FORECASTS,
}


def _publish(data: DataFolder) -> None:
    company = Company(data)
    for name, text in LANDING.items():
        company.drop(name, text)
    # Other tests run the data tests of the marts.
    company.build(*MODELS_ONLY)
    closing.close(data, "2026-01")
    data.run_folder.mkdir(exist_ok=True)
    run_state.begin(data)
    company.build(*MODELS_ONLY)
    publish.publish(data, dbt_runner.read_manifest(), run_state.begun(data))
    run_state.remember(data)


def published_company(made_once: MadeOnce) -> DataFolder:
    """The data folder, built and published once for all tests."""
    return made_once("published company", _publish)


def query(data: DataFolder, sql: str) -> list[tuple]:
    """Rows of a query on the published marts."""
    with open_published(data) as connection:
        return connection.execute(sql).fetchall()


def copied(data: DataFolder, to: Path) -> DataFolder:
    """A copy of a data folder, with the times of its files."""
    shutil.copytree(data.root, to)
    return DataFolder(to)
