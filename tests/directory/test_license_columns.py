"""License columns of directory exports, and the dates in the names of their files."""

from collections.abc import Callable

import pytest
from conftest import Company

from dagster_project.seeds import seed

USERS = "Id,UserPrincipalName,Department,AccountEnabled,AssignedLicenses\n"
UNREADABLE = [
    '"[object Object],[object Object]"',
    "Microsoft.Graph.PowerShell.Models.MicrosoftGraphAssignedLicense",
    "System.Collections.Generic.List`1[System.Object]",
    "System.Object[]",
    "[]",
    "",
]
READABLE = [
    '"[{""skuId"": ""cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46""}]"',
    "SPB",
    '"Microsoft 365 E3+Dynamics 365 Sales, Enterprise"',
]


@pytest.mark.parametrize("value", UNREADABLE)
def test_a_file_whose_license_column_holds_no_license_is_refused(
    company: Company, value: str
) -> None:
    company.drop(
        "directory/users-2026-02-28.csv", f"{USERS}u0,kim@larch.example,Sales,True,{value}\n"
    )
    company.ingest()
    ((status, reason),) = company.query("select status, reason from raw.landed_files")
    assert status == "refused"
    assert "AssignedLicenses holds no license in any of 1 rows" in str(reason)
    assert company.query("select count(*) from raw.directory_users") == [(0,)]


def test_licenses_that_powershell_wrote_as_objects_are_their_ids(company: Company) -> None:
    ids = ("cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46", "639dec6b-bb19-468b-871c-c5c441c4b0cb")
    objects = " ".join(f"@{{disabledPlans=System.Object[]; skuId={each}}}" for each in ids)
    company.drop(
        "directory/users-2026-02-28.csv", f'{USERS}u0,kim@larch.example,Sales,True,"{objects}"\n'
    )
    company.ingest()
    assert company.query("select assigned_licenses from raw.directory_users") == [(",".join(ids),)]


@pytest.mark.parametrize("value", READABLE)
def test_one_row_with_a_license_is_enough(company: Company, value: str) -> None:
    company.drop(
        "directory/users-2026-02-28.csv",
        f"{USERS}u0,kim@larch.example,Sales,True,{value}\nu1,lee@larch.example,Sales,True,[]\n",
    )
    company.ingest()
    assert company.query("select count(*) from raw.directory_users") == [(2,)]


def test_the_date_of_a_snapshot_is_in_the_name_of_the_file(
    new_company: Callable[[], Company],
) -> None:
    company = new_company()
    names = {
        "exportUsers_2024-9-13.csv": "2024-09-13",
        "users-2024-10-01.csv": "2024-10-01",
        "users_9_14_2024 2_22_37 PM.csv": "2024-09-14",
        "users_9_15_2024.csv": "2024-09-15",
        # 8 October or 10 August.
        "users_10_8_2024.csv": None,
    }
    for number, name in enumerate(names):
        company.drop(f"directory/{name}", f"User ID,Department\nu{number},Sales\n")
    company.build()
    assert dict(
        company.query(
            "select file, cast(snapshot_date as varchar) from staging.stg_directory__users"
        )
    ) == {f"directory/{name}": day for name, day in names.items()}


def test_microsofts_list_of_licenses_as_downloaded_names_the_licenses_of_a_directory(
    new_company: Callable[[], Company],
) -> None:
    company = new_company()
    flow = "f30db892-07e9-47e9-837c-80727f46fd3d"
    company.drop(
        "license_skus/Product names and service plan identifiers for licensing.csv",
        "\ufeffProduct_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,"
        "Service_Plans_Included_Friendly_Names\r\n"
        f"Power Automate Free,FLOW_FREE,{flow},DYN365_CDS_VIRAL,17ab22cd,Common Data Service\r\n"
        f"Power Automate Free,FLOW_FREE,{flow},FLOW_P2_VIRAL,50e68c76,Flow Free\r\n"
        ",NAMELESS,0c266dff-15dd-4b49-8397-2bb16070ed52,MCOMEETADV,3e26ee1f,Audio\r\n",
    )
    company.build()
    assert company.query(
        "select license_word, product_name from intermediate.int_license_names"
        " where product_name like 'Power Auto%' order by all"
    ) == [(flow, "Power Automate Free"), ("flow_free", "Power Automate Free")]
    assert company.query(
        "select row_number, reason from staging.int_unusable_rows where feed = 'license_skus'"
    ) == [(4, "Product_Display_Name is empty")]


def test_the_seed_has_the_ids_that_microsoft_publishes() -> None:
    part_numbers = {row["sku_id"]: row["sku_part_number"] for row in seed("license_skus")}
    assert part_numbers["05e9a617-0261-4cee-bb44-138d3ef5d965"] == "SPE_E3"
    assert part_numbers["06ebc4ee-1bb5-47dd-8120-11324bc54e06"] == "SPE_E5"
    assert part_numbers["6fd2c87f-b296-42f0-b197-1e91e994b900"] == "ENTERPRISEPACK"
