"""Landing and published in object storage, with an S3 server on this machine."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pytest
from conftest import MadeOnce
from moto.server import ThreadedMotoServer
from published_company import copied, published_company

from dagster_project import object_storage
from dagster_project.cli import main
from dagster_project.errors import UsageError
from dagster_project.object_storage import (
    AddressInvalid,
    FetchConflict,
    StorageRefused,
    fetch,
    put,
)
from dagster_project.settings import DataFolder

BILL = "billing_lines/2026-01.csv"
NUMBERS = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket; the server and its keys are in the environment, as users set them."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "a key",
        "AWS_SECRET_ACCESS_KEY": "a secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    name = f"apportion-{next(NUMBERS)}"
    storage().mkdir(name)
    return name


def storage() -> Any:
    return fsspec.filesystem("s3", skip_instance_cache=True)


def write(bucket: str, name: str, content: str) -> None:
    storage().pipe_file(f"{bucket}/landing/{name}", content.encode())


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    data.landing.mkdir(parents=True)
    return data


def landed(data: DataFolder) -> dict[str, str]:
    return {
        path.relative_to(data.landing).as_posix(): path.read_text()
        for path in data.landing.rglob("*")
        if path.is_file()
    }


# --- landing -----------------------------------------------------------------------------------


def test_new_changed_and_removed_objects_are_followed(data: DataFolder, bucket: str) -> None:
    address = f"s3://{bucket}/landing"
    write(bucket, BILL, "one")
    write(bucket, "invoices/all.csv", "list")
    write(bucket, ".hidden/note.txt", "not a file of landing")
    own = data.landing / "split_history" / "split-1.csv"
    own.parent.mkdir()
    own.write_text("made in the app")
    assert fetch(data, address) == object_storage.Fetched(2, 0, 0)
    made = {"split_history/split-1.csv": "made in the app"}
    assert landed(data) == {BILL: "one", "invoices/all.csv": "list", **made}
    # The time is that of the object, so that the newer of two deliveries is known.
    modified = storage().info(f"{bucket}/landing/{BILL}")["LastModified"]
    assert (data.landing / BILL).stat().st_mtime == modified.timestamp()
    assert fetch(data, address) == object_storage.Fetched(0, 0, 2)
    write(bucket, BILL, "two")
    storage().rm(f"{bucket}/landing/invoices/all.csv")
    assert fetch(data, address) == object_storage.Fetched(1, 1, 0)
    assert landed(data) == {BILL: "two", **made}


def test_a_landed_file_is_never_overwritten_by_other_content(data: DataFolder, bucket: str) -> None:
    path = data.landing / BILL
    path.parent.mkdir()
    path.write_text("by hand")
    write(bucket, BILL, "by hand")
    assert fetch(data, f"s3://{bucket}/landing").new == 1
    path.write_text("corrected by hand")
    with pytest.raises(FetchConflict, match="in landing with other content"):
        fetch(data, f"s3://{bucket}/landing")
    write(bucket, "invoices/all.csv", "list")
    storage().rm(f"{bucket}/landing/{BILL}")
    with pytest.raises(FetchConflict, match="was changed here"):
        fetch(data, f"s3://{bucket}/landing")
    assert landed(data)[BILL] == "corrected by hand"


def test_an_empty_address_removes_nothing(data: DataFolder, bucket: str) -> None:
    write(bucket, BILL, "one")
    fetch(data, f"s3://{bucket}/landing")
    storage().rm(f"{bucket}/landing/{BILL}")
    with pytest.raises(StorageRefused, match="nothing is removed"):
        fetch(data, f"s3://{bucket}/landing")
    assert landed(data) == {BILL: "one"}


@pytest.mark.parametrize("name", ["../outside.csv", "billing_lines/../../x.csv", "a//b.csv"])
def test_a_name_that_leads_elsewhere_is_refused(data: DataFolder, bucket: str, name: str) -> None:
    write(bucket, name, "x")
    with pytest.raises(FetchConflict, match="no name that a file in landing can have"):
        fetch(data, f"s3://{bucket}/landing")
    assert not list(data.root.parent.rglob("*.csv"))


def test_what_was_fetched_before_an_error_is_known(data: DataFolder, bucket: str) -> None:
    write(bucket, "billing_lines/a.csv", "a")
    write(bucket, "billing_lines/b.csv", "b")
    (data.landing / "billing_lines").mkdir()
    (data.landing / "billing_lines" / "b.csv").write_text("other")
    with pytest.raises(FetchConflict):
        fetch(data, f"s3://{bucket}/landing")
    (data.landing / "billing_lines" / "b.csv").unlink()
    assert fetch(data, f"s3://{bucket}/landing") == object_storage.Fetched(1, 0, 1)


@pytest.mark.parametrize("address", ["landing", "s3x://bucket/landing"])
def test_an_address_that_cannot_be_used_is_a_usage_error(
    data: DataFolder, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AddressInvalid):
        fetch(data, address)
    assert main(["fetch", address, "--data", str(data.root)]) == 2
    assert address in capsys.readouterr().err


def test_a_bucket_that_does_not_exist_is_a_plain_error(data: DataFolder, bucket: str) -> None:
    with pytest.raises(StorageRefused, match="nowhere-at-all"):
        put_published(data, "s3://nowhere-at-all/published")


# --- published ---------------------------------------------------------------------------------


def put_published(data: DataFolder, address: str) -> str | None:
    """Put a small published version."""
    version = data.published / "versions" / "000001-a"
    version.mkdir(parents=True)
    (version / "state.json").write_text("{}")
    (data.published / "current").symlink_to(Path("versions", "000001-a"))
    return put(data, address)


def pointer(bucket: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(storage().cat_file(f"{bucket}/published/current.json"))
    return content


def test_the_published_tables_are_read_from_the_storage(
    made_once: MadeOnce, bucket: str, tmp_path: Path
) -> None:
    data = copied(published_company(made_once), tmp_path / "data")
    # The copy has files instead of links.
    version = data.published / "versions" / "000007-ab"
    version.parent.mkdir(exist_ok=True)
    (data.published / "current").rename(version)
    (data.published / "current").symlink_to(Path("versions", version.name))
    assert put(data, f"s3://{bucket}/published") == "000007-ab"
    shown = pointer(bucket)
    assert shown["version"] == "000007-ab" and shown["path"] == "versions/000007-ab"
    storage().get(f"{bucket}/published/{shown['path']}/", f"{tmp_path}/copy/", recursive=True)
    query = "select sum(total_cost), sum(total_sales), count(*) from marts.chargeback"
    sums = []
    for database in (tmp_path / "copy" / "apportion.duckdb", data.published_database):
        with duckdb.connect(str(database), read_only=True) as connection:
            sums.append(connection.execute(query).fetchone())
    assert sums[0] == sums[1]
    names = {file["name"] for file in shown["files"]}
    assert {"apportion.duckdb", "marts/chargeback.parquet", "state.json"} <= names
    for file in shown["files"]:
        assert (tmp_path / "copy" / file["name"]).stat().st_size == file["size"]
    assert put(data, f"s3://{bucket}/published") is None


def test_readers_see_a_version_only_when_it_is_complete(
    data: DataFolder, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"s3://{bucket}/published"
    sent = object_storage._put_one

    def without_state(system: Any, target: str, path: Path, name: str) -> dict[str, object]:
        to = "no-such-bucket/state.json" if name == "state.json" else target
        return sent(system, to, path, name)

    versions = data.published / "versions"
    current = data.published / "current"
    for number in range(1, 5):
        folder = versions / f"00000{number}-a"
        (folder / "marts").mkdir(parents=True)
        (folder / "state.json").write_text(json.dumps(number))
        (folder / "marts" / "chargeback.parquet").write_text(str(number))
        current.unlink(missing_ok=True)
        current.symlink_to(Path("versions", folder.name))
        if number == 3:
            # The second file cannot be put.
            monkeypatch.setattr(object_storage, "_put_one", without_state)
            with pytest.raises(StorageRefused):
                put(data, address)
            monkeypatch.setattr(object_storage, "_put_one", sent)
            assert pointer(bucket)["version"] == "000002-a"
            continue
        assert put(data, address) == folder.name
    assert pointer(bucket)["version"] == "000004-a"
    assert pointer(bucket)["earlier"] == ["000002-a"]
    # The version that was interrupted is not one of those that readers were shown.
    left = {path.rsplit("/", 1)[1] for path in storage().ls(f"{bucket}/published/versions")}
    assert left == {"000002-a", "000003-a", "000004-a"}


def test_nothing_published_is_a_usage_error(data: DataFolder, bucket: str) -> None:
    with pytest.raises(UsageError, match="apportion run first"):
        put(data, f"s3://{bucket}/published")


def test_the_commands_say_what_they_did(
    data: DataFolder, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(bucket, BILL, "one")
    assert main(["fetch", f"s3://{bucket}/landing", "--data", str(data.root)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"fetched  {BILL}", "1 fetched, 0 removed, 0 unchanged",
    ]  # fmt: skip
    assert landed(data) == {BILL: "one"}
