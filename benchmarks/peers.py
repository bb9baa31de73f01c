"""The same split and chargeback table in other tools, each as an expert would write it.

    python benchmarks/peers.py polars LANDING OUT

A peer reads the CSV files of a company (company.py), finds for every line the last split before its
cutoff, splits quantity and cost by cumulative rounding to whole millionths, and writes the split
lines (split.parquet) and the chargeback table (chargeback.parquet). It knows what these files look
like and checks nothing: it is the least work that gives the same figures. `limit` splits nothing.
It reads the columns that a peer needs and writes as many rows as a peer writes.

Imports are inside the functions: the time of a process is that of one tool alone.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MEMORY = "20GB"

LINE_COLUMNS = (
    "InvoiceNumber",
    "SubscriptionId",
    "ProductName",
    "ChargeType",
    "ChargeStartDate",
    "ChargeEndDate",
    "Quantity",
    "Subtotal",
    "Currency",
)
SPLIT_COLUMNS = (
    "Subscription ID",
    "Datetime",
    "Cost Center ID",
    "Allocated Quantity",
    "Organization",
)


def polars(landing: Path, out: Path) -> None:
    """Polars: lazy frames, an as-of join, whole numbers for money."""
    import polars as pl

    text, whole = pl.String, pl.Int64
    lines = (
        pl.scan_csv(
            landing / "billing_lines/**/*.csv",
            schema_overrides={"Quantity": whole, "Subtotal": pl.Decimal(18, 2)},
        )
        .select(LINE_COLUMNS)
        .with_columns(
            pl.col("ChargeStartDate", "ChargeEndDate").str.slice(0, 10).str.to_date("%Y-%m-%d"),
        )
    )
    invoices = pl.scan_csv(landing / "invoices/*.csv", try_parse_dates=True).select(
        InvoiceNumber="Invoice Number", billing_date="Invoice Date"
    )
    splits = pl.scan_csv(
        landing / "split_history/*.csv",
        schema_overrides={"Allocated Quantity": whole, "Cost Center ID": text},
    ).select(
        SubscriptionId="Subscription ID",
        effective_at=pl.col("Datetime").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"),
        cost_center_id="Cost Center ID",
        units="Allocated Quantity",
        organization_id="Organization",
    )
    snapshot = ["SubscriptionId", "effective_at"]
    shares = (
        splits.sort(*snapshot, "cost_center_id")
        .with_columns(
            high=pl.col("units").cum_sum().over(snapshot),
            total=pl.col("units").sum().over(snapshot),
        )
        .collect()
    )
    start, end = pl.col("ChargeStartDate"), pl.col("ChargeEndDate")
    one_day = pl.duration(days=1)
    cutoff = (
        pl.when(pl.col("ChargeType") == "cycleCharge")
        .then(start + one_day)
        .when(pl.col("Subtotal") < 0)
        .then(start)
        .otherwise(end + one_day)
    )
    matched = (
        lines.join(invoices, on="InvoiceNumber")
        .with_columns(
            # As-of joins match at or before; splits at the cutoff itself do not count.
            before=pl.min_horizontal(cutoff, "billing_date").cast(pl.Datetime("us"))
            - pl.duration(microseconds=1),
            cost=(pl.col("Subtotal") * 100).cast(whole) * 10_000,
            seats=pl.col("Quantity") * 1_000_000,
        )
        .collect()
        .sort("before")
        .join_asof(
            shares.select(snapshot).unique().sort("effective_at"),
            left_on="before",
            right_on="effective_at",
            by="SubscriptionId",
            coalesce=False,
            check_sortedness=False,
        )
    )

    def part(amount: str) -> pl.Expr:
        absolute, total = pl.col(amount).abs(), pl.col("total")

        def rounded(units: pl.Expr) -> pl.Expr:
            return (2 * absolute * units + total) // (2 * total)

        high = pl.col("high")
        return pl.col(amount).sign() * (rounded(high) - rounded(high - pl.col("units")))

    split = (
        matched.lazy()
        .join(shares.lazy(), on=snapshot)
        .select(
            "InvoiceNumber",
            "SubscriptionId",
            "ProductName",
            "ChargeType",
            "ChargeStartDate",
            "ChargeEndDate",
            "Currency",
            "organization_id",
            "cost_center_id",
            "effective_at",
            billing_period=pl.col("billing_date").dt.strftime("%Y-%m"),
            quantity=part("seats"),
            total_cost=part("cost"),
        )
        .collect()
    )
    chargeback = split.group_by(
        "billing_period", "organization_id", "cost_center_id", "ProductName", "Currency"
    ).agg(pl.col("quantity", "total_cost").sum())
    split.write_parquet(out / "split.parquet")
    chargeback.write_parquet(out / "chargeback.parquet")


def pandas(landing: Path, out: Path) -> None:
    """Pandas: merge_asof on sorted keys, whole numbers for money."""
    import pandas as pd  # type: ignore[import-untyped]

    def read(pattern: str, columns: tuple[str, ...]) -> Any:
        frames = [
            pd.read_csv(path, usecols=columns, dtype=str, engine="pyarrow")
            for path in sorted(landing.glob(pattern))
        ]
        return pd.concat(frames, ignore_index=True)

    lines = read("billing_lines/**/*.csv", LINE_COLUMNS)
    invoices = read("invoices/*.csv", ("Invoice Number", "Invoice Date"))
    splits = read("split_history/*.csv", SPLIT_COLUMNS)

    shares = pd.DataFrame(
        {
            "SubscriptionId": splits["Subscription ID"],
            "effective_at": pd.to_datetime(splits["Datetime"].str[:19]).astype("datetime64[us]"),
            "cost_center_id": splits["Cost Center ID"],
            "organization_id": splits["Organization"],
            "units": splits["Allocated Quantity"].astype("int64"),
        }
    ).sort_values(["SubscriptionId", "effective_at", "cost_center_id"])
    snapshot = ["SubscriptionId", "effective_at"]
    units = shares.groupby(snapshot, sort=False)["units"]
    shares["high"] = units.cumsum()
    shares["total"] = units.transform("sum")

    day = pd.Timedelta(days=1)
    lines = lines.merge(
        invoices.rename(columns={"Invoice Number": "InvoiceNumber"}), on="InvoiceNumber"
    )
    for column in ("ChargeStartDate", "ChargeEndDate", "Invoice Date"):
        lines[column] = pd.to_datetime(lines[column].str[:10]).astype("datetime64[us]")
    # "12.50" without its point is a whole number of cents.
    cost = lines["Subtotal"].str.replace(".", "", regex=False).astype("int64") * 10_000
    lines["cost"] = cost
    lines["seats"] = lines["Quantity"].astype("int64") * 1_000_000
    cutoff = (lines["ChargeEndDate"] + day).where(cost >= 0, lines["ChargeStartDate"])
    cutoff = cutoff.where(lines["ChargeType"] != "cycleCharge", lines["ChargeStartDate"] + day)
    lines["cutoff"] = cutoff.where(cutoff < lines["Invoice Date"], lines["Invoice Date"])
    matched = pd.merge_asof(
        lines.sort_values("cutoff"),
        shares[snapshot].drop_duplicates().sort_values("effective_at"),
        left_on="cutoff",
        right_on="effective_at",
        by="SubscriptionId",
        allow_exact_matches=False,
    )
    matched["billing_period"] = matched["Invoice Date"].dt.strftime("%Y-%m")
    split = matched.merge(shares, on=snapshot)
    for name, amount in (("quantity", "seats"), ("total_cost", "cost")):
        absolute, total = split[amount].abs(), split["total"]
        high = (2 * absolute * split["high"] + total) // (2 * total)
        low = (2 * absolute * (split["high"] - split["units"]) + total) // (2 * total)
        split[name] = (high - low).where(split[amount] >= 0, low - high)
    split = split[
        [
            "InvoiceNumber",
            "SubscriptionId",
            "ProductName",
            "ChargeType",
            "ChargeStartDate",
            "ChargeEndDate",
            "Currency",
            "organization_id",
            "cost_center_id",
            "effective_at",
            "billing_period",
            "quantity",
            "total_cost",
        ]
    ]
    keys = ["billing_period", "organization_id", "cost_center_id", "ProductName", "Currency"]
    chargeback = split.groupby(keys, sort=False, as_index=False)[["quantity", "total_cost"]].sum()
    split.to_parquet(out / "split.parquet", index=False)
    chargeback.to_parquet(out / "chargeback.parquet", index=False)


def duckdb(landing: Path, out: Path) -> None:
    """DuckDB by hand: one as-of join, whole numbers for money, Parquet."""
    import duckdb

    def part(amount: str) -> str:
        return f"""
            sign({amount}) * (
                (2 * abs({amount}) * high + total) // (2 * total)
                - (2 * abs({amount}) * (high - units) + total) // (2 * total)
            )
        """

    with duckdb.connect() as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(
            f"""
            create temp table shares as
            select
                "Subscription ID" as subscription_id,
                strptime("Datetime", '%Y-%m-%dT%H:%M:%SZ') as effective_at,
                "Cost Center ID" as cost_center_id,
                "Organization" as organization_id,
                "Allocated Quantity" as units,
                cast(sum(units) over (snapshot order by cost_center_id) as bigint) as high,
                cast(sum(units) over snapshot as bigint) as total
            from read_csv(
                '{landing}/split_history/*.csv', header = true, all_varchar = true, parallel = true
            ) as splits
            window snapshot as (partition by "Subscription ID", "Datetime")
            """.replace(
                '"Allocated Quantity" as units', 'cast("Allocated Quantity" as bigint) as units'
            )
        )
        connection.execute(
            f"""
            create temp table split as
            with lines as (
                select
                    "InvoiceNumber" as invoice_number,
                    "SubscriptionId" as subscription_id,
                    "ProductName" as product_name,
                    "ChargeType" as charge_type,
                    cast(substr("ChargeStartDate", 1, 10) as date) as charge_start_date,
                    cast(substr("ChargeEndDate", 1, 10) as date) as charge_end_date,
                    "Currency" as currency,
                    cast(cast("Subtotal" as decimal(18, 2)) * 100 as bigint) * 10000 as cost,
                    cast("Quantity" as bigint) * 1000000 as seats
                from read_csv(
                    '{landing}/billing_lines/**/*.csv', header = true, all_varchar = true
                )
            ),
            with_cutoff as (
                select
                    lines.*,
                    strftime(cast("Invoice Date" as date), '%Y-%m') as billing_period,
                    least(
                        case
                            when charge_type = 'cycleCharge' then charge_start_date + 1
                            when cost < 0 then charge_start_date
                            else charge_end_date + 1
                        end,
                        cast("Invoice Date" as date)
                    ) as cutoff
                from lines
                inner join read_csv(
                    '{landing}/invoices/*.csv', header = true, all_varchar = true
                ) as invoices on lines.invoice_number = invoices."Invoice Number"
            ),
            snapshots as (select distinct subscription_id, effective_at from shares),
            matched as (
                select with_cutoff.*, snapshots.effective_at
                from with_cutoff
                asof join snapshots
                    on with_cutoff.subscription_id = snapshots.subscription_id
                    and cast(with_cutoff.cutoff as timestamp) > snapshots.effective_at
            )
            select
                invoice_number,
                subscription_id,
                product_name,
                charge_type,
                charge_start_date,
                charge_end_date,
                currency,
                organization_id,
                cost_center_id,
                effective_at,
                billing_period,
                cast({part("seats")} as bigint) as quantity,
                cast({part("cost")} as bigint) as total_cost
            from matched
            inner join shares using (subscription_id, effective_at)
            """
        )
        connection.execute(f"copy split to '{out}/split.parquet' (format parquet)")
        connection.execute(
            f"""
            copy (
                select
                    billing_period,
                    organization_id,
                    cost_center_id,
                    product_name,
                    currency,
                    cast(sum(quantity) as bigint) as quantity,
                    cast(sum(total_cost) as bigint) as total_cost
                from split
                group by all
            ) to '{out}/chargeback.parquet' (format parquet)
            """
        )


def chdb(landing: Path, out: Path) -> None:
    """ClickHouse in the process (chDB): an as-of join over CSV files."""
    from chdb import session

    def part(amount: str) -> str:
        return f"""
            sign({amount}) * (
                intDiv(2 * abs({amount}) * high + total, 2 * total)
                - intDiv(2 * abs({amount}) * (high - units) + total, 2 * total)
            )
        """

    def columns(names: tuple[str, ...]) -> str:
        return ", ".join(f"`{name}` String" for name in names)

    clickhouse = session.Session()
    clickhouse.query("create database company engine = Atomic")
    # Columns are matched by name, and only the named ones are parsed.
    settings = "settings input_format_with_names_use_header = 1, input_format_skip_unknown_fields=1"
    clickhouse.query(
        f"""
        create table company.shares engine = Memory as
        select
            `Subscription ID` as subscription_id,
            parseDateTimeBestEffort(`Datetime`, 'UTC') as effective_at,
            `Cost Center ID` as cost_center_id,
            `Organization` as organization_id,
            toInt64(`Allocated Quantity`) as units,
            sum(units) over (
                partition by subscription_id, effective_at order by cost_center_id
                rows between unbounded preceding and current row
            ) as high,
            sum(units) over (partition by subscription_id, effective_at) as total
        from file('{landing}/split_history/*.csv', CSVWithNames, '{columns(SPLIT_COLUMNS)}')
        {settings}
        """
    )
    clickhouse.query(
        f"""
        create table company.split engine = Memory as
        with lines as (
            select
                `InvoiceNumber` as invoice_number,
                `SubscriptionId` as subscription_id,
                `ProductName` as product_name,
                `ChargeType` as charge_type,
                toDate(substring(`ChargeStartDate`, 1, 10)) as charge_start_date,
                toDate(substring(`ChargeEndDate`, 1, 10)) as charge_end_date,
                `Currency` as currency,
                toInt64(toDecimal64(`Subtotal`, 2) * 100) * 10000 as cost,
                toInt64(`Quantity`) * 1000000 as seats,
                toDate(invoices.`Invoice Date`) as billing_date,
                toDateTime(
                    least(
                        multiIf(
                            charge_type = 'cycleCharge', charge_start_date + 1,
                            cost < 0, charge_start_date,
                            charge_end_date + 1
                        ),
                        billing_date
                    ),
                    'UTC'
                ) as cutoff
            from file('{landing}/billing_lines/**/*.csv', CSVWithNames, '{columns(LINE_COLUMNS)}')
                as bill
            inner join file(
                '{landing}/invoices/*.csv', CSVWithNames,
                '`Invoice Number` String, `Invoice Date` String'
            ) as invoices on bill.`InvoiceNumber` = invoices.`Invoice Number`
        ),
        matched as (
            select lines.*, snapshots.effective_at as effective_at
            from lines
            asof join (select distinct subscription_id, effective_at from company.shares)
                as snapshots
                on lines.subscription_id = snapshots.subscription_id
                and lines.cutoff > snapshots.effective_at
        )
        select
            matched.invoice_number as invoice_number,
            matched.subscription_id as subscription_id,
            matched.product_name as product_name,
            matched.charge_type as charge_type,
            matched.charge_start_date as charge_start_date,
            matched.charge_end_date as charge_end_date,
            matched.currency as currency,
            shares.organization_id as organization_id,
            shares.cost_center_id as cost_center_id,
            matched.effective_at as effective_at,
            formatDateTime(matched.billing_date, '%Y-%m') as billing_period,
            toInt64({part("seats")}) as quantity,
            toInt64({part("cost")}) as total_cost
        from matched
        inner join company.shares as shares
            on matched.subscription_id = shares.subscription_id
            and matched.effective_at = shares.effective_at
        {settings}
        """
    )
    clickhouse.query(
        f"select * from company.split into outfile '{out}/split.parquet' format Parquet"
    )
    clickhouse.query(
        f"""
        select
            billing_period, organization_id, cost_center_id, product_name, currency,
            sum(quantity) as quantity, sum(total_cost) as total_cost
        from company.split
        group by billing_period, organization_id, cost_center_id, product_name, currency
        into outfile '{out}/chargeback.parquet' format Parquet
        """
    )
    clickhouse.close()


def limit(landing: Path, out: Path) -> None:
    """The physical limit: read the needed columns, write as many rows; nothing is looked up."""
    import duckdb

    columns = ", ".join(f'"{name}"' for name in LINE_COLUMNS)
    splits = ", ".join(f'max("{name}")' for name in SPLIT_COLUMNS)
    with duckdb.connect() as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(
            f"select {splits} from read_csv("
            f"'{landing}/split_history/*.csv', header = true, all_varchar = true)"
        ).fetchall()
        connection.execute(
            f"""
            copy (
                select
                    {columns},
                    cast("Quantity" as bigint) * 250000 as quantity,
                    cast(cast("Subtotal" as decimal(18, 2)) * 2500 as bigint) as total_cost,
                    unnest(['org-000-01', 'org-000-04', 'org-000-07', 'org-000-DEFAULT'])
                        as cost_center_id
                from read_csv(
                    '{landing}/billing_lines/**/*.csv', header = true, all_varchar = true
                )
            ) to '{out}/split.parquet' (format parquet)
            """
        )


PEERS: dict[str, Callable[[Path, Path], None]] = {
    "polars": polars,
    "duckdb": duckdb,
    "chdb": chdb,
    "pandas": pandas,
    "limit": limit,
}


if __name__ == "__main__":
    name, landing_folder, out_folder = sys.argv[1:]
    PEERS[name](Path(landing_folder), Path(out_folder))
