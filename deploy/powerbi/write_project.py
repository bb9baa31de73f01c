"""Write the Power BI project beside this file from dbt's manifest: `make powerbi`.

Tables, columns, types and descriptions are those of the marts, and names and descriptions of
measures those of the metrics. Here are only the choices of Power BI: which marts a report needs,
how they are related, and each metric in DAX. `tests/deploy/test_powerbi.py` compares the written
files with the marts that the sample builds.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric"

TABLES = (
    "dim_date",
    "dim_organization",
    "dim_cost_center",
    "dim_product",
    "dim_subscription",
    "billing_report",
    "budget_variance",
    "chargeback",
    "chargeback_changes",
    "cost_forecast",
    "findings",
    "statement_lines",
    "unit_charges",
)

KEYS = {
    "cost_center_key": ("organization_id", "cost_center_id"),
    "subscription_key": ("organization_id", "subscription_id"),
}
"""A relationship joins one column. Ids of cost centers and subscriptions are unique within their
organization only, so both are joined to one text, in every table that has them."""

SEPARATOR = "|"

DIMENSIONS = {
    "dim_organization": "organization_id",
    "dim_cost_center": "cost_center_key",
    "dim_product": "product_name",
    "dim_subscription": "subscription_key",
    "currencies": "currency",
}
"""The unique column of each dimension. A table with this column is related to it."""

DAY_OF_TABLE = {
    "billing_report": "billing_period_start",
    "budget_variance": "month",
    "chargeback": "billing_period_start",
    "chargeback_changes": "billing_period_start",
    "cost_forecast": "month",
    "unit_charges": "billing_period_start",
}
"""The day by which a table is related to the calendar."""

RELATED_ONLY = {"chargeback": {"product_name"}, "billing_report": {"product_name"}}
"""Tables whose product is one of bills; other tables have names of their own."""


@dataclass(frozen=True)
class Type:
    """A type of a column: in the model and in Power Query."""

    model: str
    query: str
    format: str = ""


DECIMAL = Type("double", "type number", "#,0.00")
"""Not Power BI's fixed decimal, which rounds every row to four decimals: a sum of parts of a
billing line would differ from the line. A double keeps 15 digits of every row."""

TYPES = {
    "string": Type("string", "type text"),
    "date": Type("dateTime", "type date", "yyyy-mm-dd"),
    "timestamp": Type("dateTime", "type datetime", "yyyy-mm-dd hh:nn:ss"),
    "integer": Type("int64", "Int64.Type", "0"),
    "bigint": Type("int64", "Int64.Type", "0"),
    "boolean": Type("boolean", "type logical"),
}


@dataclass(frozen=True)
class Measure:
    """A metric in DAX, of the table that it sums."""

    table: str
    expression: str
    format: str = "#,0.00"
    one: tuple[str, ...] = ("currency",)
    """Columns of the table of which one value must be selected: amounts of two currencies are
    never added."""

    @property
    def dax(self) -> str:
        """The whole expression: blank unless one value of each column in `one` is selected."""
        guards = " && ".join(f"HASONEVALUE({self.table}[{each}])" for each in self.one)
        return f"IF({guards}, {self.expression})" if guards else self.expression


def total(table: str, column: str, *filters: str) -> str:
    """The sum of a column, of the rows that meet every filter and the reader's own."""
    kept = "".join(f", KEEPFILTERS({each})" for each in filters)
    return f"CALCULATE(SUM({table}[{column}]){kept})" if kept else f"SUM({table}[{column}])"


CYCLE_LICENSES = (
    'billing_report[charge_kind] = "cycle"',
    'billing_report[quantity_unit] = "Licenses"',
)

METRICS = {
    **{
        each: Measure("chargeback", total("chargeback", each))
        for each in ("charged_amount", "total_cost", "total_sales", "total_margin")
    },
    "margin_rate": Measure(
        "chargeback",
        "DIVIDE(SUM(chargeback[total_margin]), SUM(chargeback[total_sales]))",
        "0.0%",
    ),
    "amortized_cost": Measure("chargeback", total("chargeback", "amortized_cost")),
    "unallocated_cost": Measure(
        "billing_report",
        total("billing_report", "total_cost", "billing_report[is_unallocated] = TRUE()"),
    ),
    "default_cost": Measure(
        "billing_report",
        total("billing_report", "total_cost", "billing_report[is_default] = TRUE()"),
    ),
    "cycle_licenses": Measure(
        "billing_report", total("billing_report", "quantity", *CYCLE_LICENSES), "#,0.##", one=()
    ),
    "cycle_cost": Measure("billing_report", total("billing_report", "total_cost", *CYCLE_LICENSES)),
    "cost_per_license": Measure(
        "billing_report",
        f"DIVIDE({total('billing_report', 'total_cost', *CYCLE_LICENSES)}, "
        f"{total('billing_report', 'quantity', *CYCLE_LICENSES)})",
    ),
    "amount_change": Measure("chargeback_changes", total("chargeback_changes", "change")),
    **{
        each: Measure("chargeback_changes", total("chargeback_changes", each))
        for each in (
            "price_change",
            "seats_change",
            "new_subscriptions_change",
            "ended_subscriptions_change",
        )
    },
    "budget": Measure("budget_variance", total("budget_variance", "budget")),
    "actual_amount": Measure("budget_variance", total("budget_variance", "actual")),
    "budget_variance_amount": Measure("budget_variance", total("budget_variance", "variance")),
    "forecast_cost": Measure("cost_forecast", total("cost_forecast", "forecast")),
    "committed_forecast": Measure("cost_forecast", total("cost_forecast", "committed_cost")),
    "unit_charged": Measure(
        "unit_charges",
        total("unit_charges", "charged_amount", "ISBLANK(unit_charges[parent_unit_id])"),
        one=("currency", "unit_kind"),
    ),
}

ONE_CURRENCY = "Blank unless one currency is selected or displayed beside it."
ONE_KIND = "Also blank unless one unit_kind is."


@dataclass(frozen=True)
class Relationship:
    """Many rows of a table belong to one row of a dimension."""

    table: str
    column: str
    dimension: str
    key: str


def columns_of(manifest: Mapping[str, Any], table: str) -> dict[str, Mapping[str, Any]]:
    """The columns of a mart, in its order."""
    return dict(manifest["nodes"][f"model.apportion.{table}"]["columns"])


def keys_of(columns: Mapping[str, Any]) -> list[str]:
    """The keys of two columns that a table with these columns has."""
    return [key for key, parts in KEYS.items() if set(parts) <= columns.keys()]


def relationships(manifest: Mapping[str, Any]) -> Iterator[Relationship]:
    """Every table with amounts to every dimension that it names. Dimensions are not related to
    each other, so that a filter reaches a table by one way only."""
    for table in TABLES:
        if table.startswith("dim_"):
            continue
        columns = columns_of(manifest, table)
        named = {*columns, *keys_of(columns)}
        if table in DAY_OF_TABLE:
            yield Relationship(table, DAY_OF_TABLE[table], "dim_date", "calendar_date")
        for dimension, key in DIMENSIONS.items():
            if key in named and (key != "product_name" or table in RELATED_ONLY):
                yield Relationship(table, key, dimension, key)


def type_of(data_type: str) -> Type:
    """The type of a mart's column in Power BI."""
    return DECIMAL if data_type.startswith("decimal") else TYPES[data_type]


def described(text: str, indent: str = "") -> str:
    """A description, which stands before the object."""
    return f"{indent}/// {' '.join(text.split())}\n" if text.strip() else ""


def query_of(table: str, columns: Mapping[str, Mapping[str, Any]]) -> str:
    """The Power Query that reads a mart. It names the columns, so that an error says which one is
    missing."""
    types = ", ".join(
        f'{{"{name}", {type_of(column["data_type"]).query}}}' for name, column in columns.items()
    )
    names = ", ".join(f'"{name}"' for name in columns)
    file = f'PublishedFolder & "\\marts\\{table}.parquet"'
    steps = [
        ("Source", f"Parquet.Document(File.Contents({file}))"),
        ("Selected", f"Table.SelectColumns(Source, {{{names}}})"),
        ("Typed", f"Table.TransformColumnTypes(Selected, {{{types}}})"),
    ]
    for key in keys_of(columns):
        joined = f' & "{SEPARATOR}" & '.join(f"[{part}]" for part in KEYS[key])
        steps.append((key, f'Table.AddColumn({steps[-1][0]}, "{key}", each {joined}, type text)'))
    lines = ",\n".join(f"    {name} = {step}" for name, step in steps)
    return f"let\n{lines}\nin\n    {steps[-1][0]}"


def currencies_query(tables: list[str]) -> str:
    """The Power Query of the currencies of all tables with amounts."""
    lists = ", ".join(f"{table}[currency]" for table in tables)
    return (
        f"let\n    All = List.RemoveNulls(List.Combine({{{lists}}})),\n"
        "    Each = List.Sort(List.Distinct(All)),\n"
        "    Currencies = Table.FromList(Each, Splitter.SplitByNothing(), type table"
        " [currency = text])\nin\n    Currencies"
    )


def column_text(
    name: str, kind: Type, description: str, is_hidden: bool = False, is_key: bool = False
) -> str:
    """A column in TMDL. Amounts are summed by measures only, since these keep currencies apart."""
    lines = [f"dataType: {kind.model}"]
    lines += ["isHidden"] if is_hidden else []
    lines += ["isKey"] if is_key else []
    lines += [f"formatString: {kind.format}"] if kind.format else []
    lines += ["summarizeBy: none", f"sourceColumn: {name}"]
    lines += ["", "annotation UnderlyingDateTimeDataType = Date"] if kind == TYPES["date"] else []
    body = "\n".join(f"\t\t{line}" if line else "" for line in lines)
    return f"{described(description, chr(9))}\tcolumn {name}\n{body}\n"


def partition_text(table: str, query: str) -> str:
    """A table's partition in TMDL."""
    lines = query.splitlines()
    source = f" {query}" if len(lines) == 1 else "".join(f"\n\t\t\t\t{line}" for line in lines)
    return f"\tpartition {table} = m\n\t\tmode: import\n\t\tsource ={source}\n"


def metrics_text(manifest: Mapping[str, Any]) -> str:
    """The measures in TMDL, in a table of their own: a table's measure must not have the name of
    a column, in upper or lower case."""
    parts = []
    for name, measure in METRICS.items():
        metric = manifest["metrics"][f"metric.apportion.{name}"]
        description = metric["description"]
        description += f" {ONE_CURRENCY}" if "currency" in measure.one else ""
        description += f" {ONE_KIND}" if "unit_kind" in measure.one else ""
        label = f"'{metric['label']}'" if " " in metric["label"] else metric["label"]
        parts.append(
            f"{described(description, chr(9))}\tmeasure {label} = {measure.dax}\n"
            f"\t\tformatString: {measure.format}\n\t\tdisplayFolder: {measure.table}\n"
        )
    parts.append(column_text("empty", TYPES["string"], "", is_hidden=True))
    parts.append(partition_text("metrics", "#table(type table [empty = text], {})"))
    return "/// The measures. The table has no rows.\ntable metrics\n\n" + "\n".join(parts)


def table_text(manifest: Mapping[str, Any], table: str, hidden: set[str]) -> str:
    """A mart's table in TMDL. Its own names of a dimension's keys are hidden."""
    columns = columns_of(manifest, table)
    node = manifest["nodes"][f"model.apportion.{table}"]
    parts = []
    for name, column in columns.items():
        kind = type_of(column["data_type"])
        if kind == DECIMAL and name.endswith("share"):
            kind = Type(kind.model, kind.query, "0.00%")
        is_day = table == "dim_date" and name == "calendar_date"
        parts.append(column_text(name, kind, column["description"], name in hidden, is_day))
    for key in keys_of(columns):
        text = " and ".join(KEYS[key])
        parts.append(column_text(key, TYPES["string"], f"Key: {text}, joined.", is_hidden=True))
    parts.append(partition_text(table, query_of(table, columns)))
    category = "\tdataCategory: Time\n" if table == "dim_date" else ""
    return f"{described(node['description'])}table {table}\n{category}\n" + "\n".join(parts)


def currencies_text(tables: list[str]) -> str:
    """The table of the currencies in TMDL."""
    return (
        "/// One row per currency of the tables with amounts.\ntable currencies\n\n"
        + column_text("currency", TYPES["string"], "Currency code.")
        + "\n"
        + partition_text("currencies", currencies_query(tables))
    )


def model_files(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The semantic model: path in its folder and content of each file."""
    related = list(relationships(manifest))
    with_currency = [each.table for each in related if each.dimension == "currencies"]
    files = {
        f"definition/tables/{table}.tmdl": table_text(
            manifest, table, {each.column for each in related if each.table == table}
        )
        for table in TABLES
    }
    files["definition/tables/currencies.tmdl"] = currencies_text(with_currency)
    files["definition/tables/metrics.tmdl"] = metrics_text(manifest)
    files["definition/relationships.tmdl"] = "\n".join(
        f"relationship {each.table}_{each.dimension}\n"
        f"\tfromColumn: {each.table}.{each.column}\n\ttoColumn: {each.dimension}.{each.key}\n"
        for each in related
    )
    files["definition/expressions.tmdl"] = (
        "/// Folder with the published tables: the one that has the folder marts.\n"
        'expression PublishedFolder = "C:\\apportion\\published" meta '
        '[IsParameterQuery=true, Type="Text", IsParameterQueryRequired=true]\n'
    )
    files["definition/database.tmdl"] = "database\n\tcompatibilityLevel: 1600\n"
    files["definition/model.tmdl"] = (
        "model Model\n\tculture: en-US\n\tdefaultPowerBIDataSourceVersion: powerBI_V3\n"
        "\tdiscourageImplicitMeasures\n\tsourceQueryCulture: en-US\n\n"
        "annotation __PBI_TimeIntelligenceEnabled = 0\n\n"
        + "".join(f"ref table {table}\n" for table in (*TABLES, "currencies", "metrics"))
    )
    # As Power BI writes them: with an empty line at the end.
    files = {path: f"{content}\n" for path, content in files.items()}
    files["definition.pbism"] = as_json(
        {"$schema": f"{SCHEMAS}/item/semanticModel/definitionProperties/1.0.0/schema.json"}
        | {"version": "4.0", "settings": {}}
    )
    return files


def column(table: str, name: str) -> dict[str, Any]:
    """A column that a visual displays."""
    return {"Column": {"Expression": {"SourceRef": {"Entity": table}}, "Property": name}}


def measure(manifest: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """A measure that a visual displays."""
    label = manifest["metrics"][f"metric.apportion.{metric}"]["label"]
    source = {"SourceRef": {"Entity": "metrics"}}
    return {"Measure": {"Expression": source, "Property": label}}


def visual(
    name: str, kind: str, place: tuple[int, int, int, int], title: str, **roles: list[Any]
) -> dict[str, Any]:
    """A visual at x, y, width and height, with the fields of each of its roles."""
    state = {}
    for role, fields in roles.items():
        projections = []
        for each in fields:
            ((_, shown),) = each.items()
            table, field = shown["Expression"]["SourceRef"]["Entity"], shown["Property"]
            query = {"queryRef": f"{table}.{field}", "nativeQueryRef": field}
            projections.append({"field": each, **query})
        state[role] = {"projections": projections}
    x, y, width, height = place
    order = {"z": 0, "tabOrder": y * 10 + x}
    text = {"expr": {"Literal": {"Value": f"'{title}'"}}}
    return {
        "$schema": f"{SCHEMAS}/item/report/definition/visualContainer/2.0.0/schema.json",
        "name": name,
        "position": {"x": x, "y": y, "width": width, "height": height, **order},
        "visual": {
            "visualType": kind,
            "query": {"queryState": state},
            "visualContainerObjects": {"title": [{"properties": {"text": text}}]},
            "drillFilterOtherVisuals": True,
        },
    }


def visuals(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The visuals of the page. Each has the currency in it, so that none is blank."""
    month, currency = column("dim_date", "billing_period"), column("currencies", "currency")
    organization = column("dim_organization", "organization_name")
    cost_center = column("dim_cost_center", "cost_center_name")

    def of(*metrics: str) -> list[dict[str, Any]]:
        return [measure(manifest, each) for each in metrics]

    return [
        visual("currency", "slicer", (16, 16, 200, 120), "Currency", Values=[currency]),
        visual("billing_period", "slicer", (16, 152, 200, 260), "Month", Values=[month]),
        visual(
            "organization", "slicer", (16, 428, 200, 276), "Organization", Values=[organization]
        ),
        visual(
            "charged_by_month",
            "clusteredColumnChart",
            (232, 16, 508, 336),
            "Charged amount by month",
            Category=[month],
            Series=[currency],
            Y=of("charged_amount"),
        ),
        visual(
            "charged_by_cost_center",
            "clusteredBarChart",
            (756, 16, 508, 336),
            "Charged amount by cost center",
            Category=[cost_center],
            Series=[currency],
            Y=of("charged_amount"),
        ),
        visual(
            "organizations",
            "tableEx",
            (232, 368, 508, 336),
            "Cost, sales and margin",
            Values=[organization, currency, *of("total_cost", "total_sales", "total_margin")],
        ),
        visual(
            "budgets",
            "tableEx",
            (756, 368, 508, 336),
            "Budgets",
            Values=[
                organization,
                cost_center,
                currency,
                *of("budget", "actual_amount", "budget_variance_amount"),
            ],
        ),
    ]


def report_files(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The report: path in its folder and content of each file."""
    definition = f"{SCHEMAS}/item/report/definition"
    pages = "definition/pages"
    files = {
        "definition.pbir": {
            "$schema": f"{SCHEMAS}/item/report/definitionProperties/2.0.0/schema.json",
            "version": "4.0",
            "datasetReference": {"byPath": {"path": "../Apportion.SemanticModel"}},
        },
        "definition/version.json": {
            "$schema": f"{definition}/versionMetadata/1.0.0/schema.json",
            "version": "2.0.0",
        },
        "definition/report.json": {
            "$schema": f"{definition}/report/3.0.0/schema.json",
            "themeCollection": {},
        },
        f"{pages}/pages.json": {
            "$schema": f"{definition}/pagesMetadata/1.0.0/schema.json",
            "pageOrder": ["chargeback"],
            "activePageName": "chargeback",
        },
        f"{pages}/chargeback/page.json": {
            "$schema": f"{definition}/page/2.0.0/schema.json",
            "name": "chargeback",
            "displayName": "License chargeback",
            "displayOption": "FitToPage",
            "width": 1280,
            "height": 720,
        },
    }
    for each in visuals(manifest):
        files[f"{pages}/chargeback/visuals/{each['name']}/visual.json"] = each
    return {path: as_json(content) for path, content in files.items()}


def as_json(content: Mapping[str, Any]) -> str:
    """The text of a JSON file."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def project_files(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Every file of the project: path beside this file, and content."""
    project = {
        "$schema": f"{SCHEMAS}/pbip/pbipProperties/1.0.0/schema.json",
        "version": "1.0",
        "artifacts": [{"report": {"path": "Apportion.Report"}}],
        "settings": {"enableAutoRecovery": True},
    }
    return {
        "Apportion.pbip": as_json(project),
        **{f"Apportion.SemanticModel/{k}": v for k, v in model_files(manifest).items()},
        **{f"Apportion.Report/{k}": v for k, v in report_files(manifest).items()},
    }


def main() -> None:
    """Write the project again."""
    from dagster_project import dbt_runner

    for item in ("Apportion.SemanticModel", "Apportion.Report"):
        shutil.rmtree(FOLDER / item, ignore_errors=True)
    for name, content in project_files(dbt_runner.read_manifest()).items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
