"""Organizations that split by their directory, and the persons in it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from bills_of_subscriptions import bill, json_lines
from conftest import Company, MadeOnce
from written_tables import csv, table

from dagster_project import dbt_runner, publish
from dagster_project.settings import DataFolder


@dataclass(frozen=True)
class Person:
    """A person in the directory, with identifiers that occur nowhere else."""

    user_id: str
    display_name: str
    sign_in_name: str

    @property
    def words(self) -> tuple[str, ...]:
        """Words that no other table may contain, in lower case."""
        local_part = self.sign_in_name.partition("@")[0]
        return (self.user_id, self.display_name.lower(), local_part)


def person(number: int, first: str, last: str, domain: str) -> Person:
    return Person(
        user_id=f"{number:08x}-5eed-4bad-8bad-{number * 7919:012x}",
        display_name=f"{first} {last}",
        sign_in_name=f"{first.lower()}.{last.lower()}@{domain}",
    )


ALDERS = {
    first: person(number, first, last, "alder.example")
    for number, (first, last) in enumerate(
        [
            ("Anna", "Quistgaard"),
            ("Ben", "Okonkwo"),
            ("Carl", "Zetterlund"),
            ("Dora", "Vasquez"),
            ("Eve", "Ibarruri"),
            ("Finn", "Ytterberg"),
            ("Gus", "Pfefferkorn"),
            ("Hana", "Mizoguchi"),
            # The rows of these persons cannot be used.
            ("Ivo", "Jankulovski"),
            ("Jana", "Dvorzhak"),
            ("Kim", "Aaltonen"),
            ("Lars", "Bjerregaard"),
        ],
        start=0xA1,
    )
}
BIRCHES = {
    first: person(number, first, last, "birch.example")
    for number, (first, last) in enumerate([("Bo", "Xylander"), ("Cy", "Thackeray")], start=0xB1)
}
ZOE = person(0xC1, "Zoe", "Nomannsland", "alder.example")
EVERYBODY = (*ALDERS.values(), *BIRCHES.values())

NEW_YEAR = """
    Anna  Sales
    Ben   Sales
    Carl  Sales
    Dora  Sales
    Eve   IT
    Finn  IT
    Gus   Moonshots
    Hana  Moonshots
"""
# On 15 January Dora has moved to IT. On 20 February Finn's account is disabled and Gus has left.
JANUARY = NEW_YEAR.replace("Dora  Sales", "Dora  IT")
FEBRUARY = JANUARY.replace("Gus   Moonshots\n", "")

USERS_HEADER = "Id,DisplayName,UserPrincipalName,Department,AccountEnabled"


def users_of(text: str, disabled: Sequence[str] = ()) -> list[list[str]]:
    return [
        [
            ALDERS[first].user_id,
            ALDERS[first].display_name,
            ALDERS[first].sign_in_name,
            department,
            "false" if first in disabled else "true",
        ]
        for first, department in table(text)
    ]


def graph_users(text: str) -> str:
    """A list of users as Microsoft Graph gives it."""
    names = ("id", "displayName", "userPrincipalName", "department")
    return json_lines(
        [dict(zip(names, row, strict=False)) | {"accountEnabled": True} for row in users_of(text)]
    )


def assignments() -> str:
    """Assignments of licenses: office by subscription, all others by product."""
    everybody = [first for first, _ in table(NEW_YEAR)]
    seats = [
        (day, first, "office", "")
        for day in ("2025-12-31", "2026-01-15", "2026-02-20")
        for first in everybody
    ]
    # Two licenses of Visio were bought, and none of Power BI.
    seats += [
        (day, first, "", "VISIOCLIENT")
        for day in ("2026-01-15", "2026-02-20")
        for first in ("Anna", "Ben", "Eve")
    ]
    seats.append(("2026-02-20", "Eve", "", "POWER_BI_PRO"))
    return csv(
        "Snapshot Date,User ID,Subscription ID,SKU",
        [[day, ALDERS[first].user_id, *license_] for day, first, *license_ in seats],
    )


HEADERLESS = "directory/users-2026-01-16.csv"


def drop_people(company: Company) -> None:
    company.drop("directory/2025-12-31/users.jsonl", graph_users(NEW_YEAR))
    company.drop("directory/users-2026-01-15.csv", csv(USERS_HEADER, users_of(JANUARY)))
    company.drop(
        "directory/february.csv",
        csv(
            f"{USERS_HEADER},Snapshot Date",
            [[*row, "20 Feb 2026"] for row in users_of(FEBRUARY, disabled=["Finn"])],
        ),
    )
    company.drop("directory/assignments.csv", assignments())
    # Birch's users are listed by id and by name, its licenses by name alone.
    company.drop(
        "directory/birch users 2025-12-31.csv",
        csv(
            USERS_HEADER,
            [[*astuple(each), "Sales", "true"] for each in BIRCHES.values()],
        ),
    )
    company.drop(
        "directory/birch licenses 2025-12-31.csv",
        csv(
            "User Principal Name,SKU",
            [[each.sign_in_name, "Microsoft 365 E5"] for each in BIRCHES.values()],
        ),
    )
    ivo, jana, kim, lars = (ALDERS[first] for first in ("Ivo", "Jana", "Kim", "Lars"))
    company.drop(
        "directory/broken-2026-01-15.csv",
        csv(
            USERS_HEADER,
            [[*astuple(ivo), "Sales", "maybe"], [jana.user_id, jana.display_name, "Sales"]],
        ),
    )
    company.drop(
        "directory/broken.jsonl",
        json_lines(
            [
                {
                    "id": kim.user_id,
                    "displayName": kim.display_name,
                    "department": "Sales",
                    "snapshotDate": "soon",
                }
            ]
        )
        + f'{{"id": "{lars.user_id}", "displayName": "{lars.display_name}", "userPr',
    )
    # The first person is in the place of the header.
    company.drop(HEADERLESS, csv(",".join([*astuple(ZOE), "Sales", "true"]), []))


def astuple(each: Person) -> tuple[str, str, str]:
    return each.user_id, each.display_name, each.sign_in_name


# 12 seats from 15 Feb on: 18 of the 28 days to 4 Mar are left, 100 x 18 / 28 = 64.29 are refunded
# and 120 x 18 / 28 = 77.14 are charged.
ALDERS_BILLS = {
    "A1": "office  Microsoft 365 E3  cycleCharge  10  10  100.00  2026-01-05  2026-02-04",
    "A2": """
        office  Microsoft 365 E3  cycleCharge  10  10  100.00  2026-02-05  2026-03-04
        office  Microsoft 365 E3  addQuantity  10  10  -64.29  2026-02-15  2026-03-04
        office  Microsoft 365 E3  addQuantity  10  12  77.14   2026-02-15  2026-03-04
        visio   Visio Plan 2      new          15  2   30.00   2026-02-05  2026-03-04
    """,
    "A3": "office  Microsoft 365 E3  cycleCharge  10  12  120.00  2026-03-05  2026-04-04",
}
BILLED = """
    A1  2026-02-06  USD  100.00
    B1  2026-02-06  USD  40.00
    C1  2026-02-06  USD  7.00
    A2  2026-03-06  USD  142.85
    A3  2026-04-08  USD  120.00
"""


def people_company(made_once: MadeOnce) -> Company:
    """The company, built and published once for all tests. Tests must not change it."""
    return Company(made_once("people", _publish))


def _publish(data: DataFolder) -> None:
    company = Company(data)
    company.drop(
        "organizations/all.csv",
        csv(
            "Organization,Name,Domain,Split Source,Split Attribute",
            [
                ["alder", "Alder", "alder.example", "directory", "department"],
                ["birch", "Birch", "birch.example", "Directory", ""],
                ["cedar", "Cedar", "cedar.example", "directory", "location"],
            ],
        ),
    )
    company.drop(
        "cost_centers/all.csv",
        csv(
            "Cost Center ID,Organization,Name,Is Default",
            [
                [center, organization, name, is_default]
                for organization in ("alder", "birch")
                for center, name, is_default in (
                    ("CC-0", "Default", "yes"),
                    ("CC-1", "Sales", "no"),
                    ("CC-2", "IT", "no"),
                )
            ],
        ),
    )
    company.drop(
        "invoices/all.csv", csv("Invoice Number,Invoice Date,Currency,Subtotal", table(BILLED))
    )
    for number, text in ALDERS_BILLS.items():
        company.drop(f"billing_lines/{number}.csv", bill("alder", number, text))
    teams = "teams  Microsoft 365 E5  cycleCharge  10  4  40.00  2026-01-05  2026-02-04"
    company.drop("billing_lines/B1.csv", bill("birch", "B1", teams))
    nobodys = "nobodys  Visio Plan 2  cycleCharge  7  1  7.00  2026-01-05  2026-02-04"
    company.drop("billing_lines/C1.csv", bill("cedar", "C1", nobodys))
    # An organization that splits by the directory uses no other split.
    company.drop(
        "split_history/ignored.csv",
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center,Cost Center ID,"
        "Allocated Quantity,Organization\n"
        "office,Cost center split adjusted,2026-01-04,10,Sales,CC-1,10,alder\n",
    )
    drop_people(company)
    company.build()
    publish.publish(company.data, dbt_runner.read_manifest(), "state")


def files_beside_landing(company: Company) -> dict[str, bytes]:
    return {
        str(path.relative_to(company.data.root)): path.read_bytes()
        for path in company.data.root.rglob("*")
        if path.is_file() and company.data.landing not in path.parents
    }


def files_that_know(company: Company, someone: Person) -> list[str]:
    """The files outside of landing whose bytes contain the person."""
    return [
        name
        for name, content in files_beside_landing(company).items()
        if any(word.encode() in content.lower() for word in someone.words)
    ]


def ledger_of(company: Company) -> dict[str, bytes]:
    return {
        name: content
        for name, content in files_beside_landing(company).items()
        if name.startswith("ledger/")
    }


def copy_of(company: Company, name: str) -> Company:
    root = company.data.root
    copy = Company(DataFolder(root.with_name(f"{root.name} {name}")))
    shutil.copytree(root, copy.data.root)
    return copy


def tables_of(company: Company, *schemas: str) -> dict[str, list[tuple]]:
    """The rows of every table and view of these schemas, in one order, by schema and name."""
    names = company.query(
        """
        select schema_name, table_name from duckdb_tables()
        where list_contains($schemas, schema_name)
        union all
        select schema_name, view_name from duckdb_views()
        where list_contains($schemas, schema_name)
        order by all
        """,
        {"schemas": list(schemas)},
    )
    return {
        f"{schema}.{name}": company.query(f'select * from "{schema}"."{name}" order by all')
        for schema, name in names
    }


def words_in(text: str, persons: Sequence[Person]) -> list[str]:
    text = text.lower()
    return [word for each in persons for word in each.words if word in text]
