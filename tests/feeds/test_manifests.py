"""Manifests of billing exports: what each provider's says, and what makes one unusable."""

import json
from datetime import datetime
from typing import Any

import pytest

from dagster_project.errors import BrokenManifest
from dagster_project.feeds.manifests import Manifest, is_manifest, read_manifest

PARTNER_CENTER = {
    "id": "export-1",
    "eTag": "0x8DE7",
    "createdDateTime": "2026-02-07T10:00:00+02:00",
    "blobCount": 2,
    "blobs": [{"name": "part-0.json.gz", "size": 11, "rowCount": 1}, {"name": "part-1.json.gz"}],
}

AZURE = {
    "manifestVersion": "2024-04-01",
    "byteCount": 30,
    "blobCount": 2,
    "dataRowCount": 3,
    "exportConfig": {
        "exportName": "Daily",
        "resourceId": "/Subscriptions/S/providers/Microsoft.CostManagement/exports/Daily",
        "type": "FocusCost",
        "timeFrame": "MonthToDate",
    },
    "runInfo": {"submittedTime": "2026-01-11T06:49:06.5756051Z", "runId": "3a9f3d28"},
    "blobs": [
        {"blobName": "focus/run/part_0_0001.csv", "byteCount": 10, "dataRowCount": 1},
        {"blobName": "focus/run/part_1_0001.csv", "byteCount": 20, "dataRowCount": 2},
    ],
}

AWS = {
    "executionId": "c1",
    "exportArn": "arn:aws:bcm-data-exports:us-east-1:1:export/focus",
    "columns": [],
    "dataFiles": [
        "s3://bucket/prefix/focus/data/BILLING_PERIOD=2026-01/focus-00001.csv.gz",
        "s3://bucket/prefix/focus/data/BILLING_PERIOD=2026-01/focus-00002.csv.gz",
    ],
}

COST_AND_USAGE_REPORT = {
    "assemblyId": "a1",
    "account": "123456789012",
    "columns": [{"category": "identity", "name": "LineItemId"}],
    "charset": "UTF-8",
    "compression": "GZIP",
    "contentType": "text/csv",
    "reportId": "r1",
    "reportName": "cur",
    "billingPeriod": {"start": "20260101T000000.000Z", "end": "20260201T000000.000Z"},
    "bucket": "bucket",
    "reportKeys": [
        "/reports/cur/20260101-20260201/a1/cur-1.csv.gz",
        "reports/cur/20260101-20260201/a1/cur-2.csv.gz",
    ],
    "additionalArtifactKeys": [],
}


def read(manifest: dict[str, Any]) -> Manifest:
    return read_manifest(json.dumps(manifest).encode())


def test_a_manifest_of_partner_center_lists_its_parts_and_version() -> None:
    manifest = read(PARTNER_CENTER)
    assert (manifest.export_id, manifest.version) == ("export-1", "0x8DE7")
    assert manifest.created_at == datetime(2026, 2, 7, 8)
    assert [(blob.name, blob.size_bytes, blob.row_count) for blob in manifest.blobs] == [
        ("part-0.json.gz", 11, 1),
        ("part-1.json.gz", None, None),
    ]
    assert manifest.is_whole_period


def test_a_manifest_of_azure_lists_its_parts_by_path_in_storage() -> None:
    manifest = read(AZURE)
    assert manifest.created_at == datetime(2026, 1, 11, 6, 49, 6, 575605)
    assert manifest.version == "3a9f3d28"
    assert [(str(blob.path), blob.name, blob.row_count) for blob in manifest.blobs] == [
        ("focus/run/part_0_0001.csv", "part_0_0001.csv", 1),
        ("focus/run/part_1_0001.csv", "part_1_0001.csv", 2),
    ]
    assert manifest.row_count == 3


def azure(**config: str) -> Manifest:
    return read({**AZURE, "exportConfig": AZURE["exportConfig"] | config})


def test_exports_of_a_month_of_one_billing_scope_are_one_series() -> None:
    monthly = azure(
        resourceId="/subscriptions/s/providers/Microsoft.CostManagement/exports/Monthly",
        timeFrame="TheLastMonth",
    )
    assert monthly.series == read(AZURE).series is not None
    assert monthly.is_whole_period


@pytest.mark.parametrize(
    "config",
    [
        {"resourceId": "/subscriptions/t/providers/Microsoft.CostManagement/exports/Daily"},
        {"type": "ActualCost"},
        {"timeFrame": "Custom"},
    ],
)
def test_exports_of_another_scope_kind_or_time_frame_are_another_series(
    config: dict[str, str],
) -> None:
    assert azure(**config).series != read(AZURE).series


def test_runs_of_some_days_do_not_hold_the_month() -> None:
    assert not azure(timeFrame="Custom").is_whole_period
    assert not azure(timeFrame="WeekToDate").is_whole_period


def test_a_manifest_of_aws_lists_its_files_by_address() -> None:
    manifest = read(AWS)
    assert [str(blob.path) for blob in manifest.blobs] == [
        "prefix/focus/data/BILLING_PERIOD=2026-01/focus-00001.csv.gz",
        "prefix/focus/data/BILLING_PERIOD=2026-01/focus-00002.csv.gz",
    ]
    assert manifest.version == "c1"
    assert manifest.is_whole_period


def test_a_manifest_of_a_cost_and_usage_report_lists_its_files_by_key() -> None:
    manifest = read(COST_AND_USAGE_REPORT)
    assert [str(blob.path) for blob in manifest.blobs] == [
        "reports/cur/20260101-20260201/a1/cur-1.csv.gz",
        "reports/cur/20260101-20260201/a1/cur-2.csv.gz",
    ]
    assert (manifest.export_id, manifest.version) == ("r1", "a1")
    assert manifest.is_whole_period


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (PARTNER_CENTER | {"blobCount": 3}, "states blobCount 3 and lists 2"),
        (PARTNER_CENTER | {"blobCount": None}, "no blobCount"),
        (PARTNER_CENTER | {"eTag": ""}, "no eTag"),
        (PARTNER_CENTER | {"blobs": [{"name": "../x"}], "blobCount": 1}, "outside of its folder"),
        (PARTNER_CENTER | {"blobs": [{"name": "/x"}], "blobCount": 1}, "outside of its folder"),
        (PARTNER_CENTER | {"blobs": ["a", "a"]}, "lists a blob twice: a"),
        (PARTNER_CENTER | {"blobs": None}, "lists no files"),
        (PARTNER_CENTER | {"blobs": [7], "blobCount": 1}, "is not a JSON object"),
        (AZURE | {"blobCount": 1}, "states blobCount 1 and lists 2"),
        (AZURE | {"byteCount": 31}, "states 31 bytes, its blobs add up to 30"),
        (AZURE | {"dataRowCount": "three"}, "datarowcount is not a whole number"),
        (
            AZURE | {"blobs": [{"blobName": "a/../../b.csv"}], "blobCount": 1},
            "not a file in storage",
        ),
        (AWS | {"dataFiles": ["s3://bucket/"]}, "not a file in storage"),
        (COST_AND_USAGE_REPORT | {"reportKeys": None}, "lists no files"),
        (COST_AND_USAGE_REPORT | {"reportKeys": ["a/../b.csv"]}, "not a file in storage"),
        (COST_AND_USAGE_REPORT | {"reportKeys": ["a.csv", "a.csv"]}, "lists a blob twice"),
        ({"blobCount": 0}, "lists no files"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_broken(
    manifest: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BrokenManifest, match=reason):
        read(manifest)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"blobs": [', b"\xff\xfe"])
def test_a_truncated_manifest_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenManifest):
        read_manifest(data)


def test_a_manifest_is_known_by_its_content_or_its_name() -> None:
    assert is_manifest(json.dumps(AZURE).encode(), "x.json")
    assert is_manifest(json.dumps(AWS).encode(), "x.json")
    assert is_manifest(json.dumps(COST_AND_USAGE_REPORT).encode(), "x.json")
    assert is_manifest(b"cut", "manifest.json")
    assert is_manifest(b"cut", "focus-Manifest.json")
    assert not is_manifest(b'{"items": []}', "page.json")
    assert not is_manifest(b"cut", "the manifesto.json")
