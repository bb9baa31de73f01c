"""The HTTP service, over the published company of the app's tests."""

import csv
import io
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
import requests
from conftest import MadeOnce
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from published_company import published_company

from dagster_project import cli
from dagster_project.api import server, tokens
from dagster_project.api.datasets import DATASETS, organization_mart
from dagster_project.api.guards import RateLimit
from dagster_project.commands import ApiSettings
from dagster_project.exports.scope import open_published
from dagster_project.settings import DataFolder

Get = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def data(made_once: MadeOnce, tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """A copy of the published company: tests here publish another version."""
    copy = tmp_path_factory.mktemp("api") / "data"
    shutil.copytree(published_company(made_once).root, copy, symlinks=True)
    data = DataFolder(copy)
    (version,) = (data.published / "versions").glob("0*")
    if not (data.published / "current").is_symlink():
        # A copy of a data folder has folders and files instead of links.
        shutil.rmtree(data.published / "current")
        data.published_database.unlink()
        (data.published / "current").symlink_to(Path("versions") / version.name)
        data.published_database.symlink_to(Path("current") / "apportion.duckdb")
    return data


@pytest.fixture(scope="module")
def issued(data: DataFolder) -> dict[str, str]:
    path = tokens.path_of(data)
    return {
        "broker": tokens.issue(path, "ERP", None),
        "evergreen": tokens.issue(path, "shop", "evergreen"),
        "harbor": tokens.issue(path, "port", "harbor"),
        "narrow": tokens.issue(path, "poller", None, ["periods"]),
        "old": tokens.issue(path, "gone", None, expires_at=datetime.now(UTC) - timedelta(days=1)),
    }


@pytest.fixture(scope="module")
def get(data: DataFolder, issued: dict[str, str]) -> Iterator[Get]:
    """Asks the running service, as the owner of a token."""
    running = server.server_of(data, ApiSettings("127.0.0.1", 0, None, None, 60_000))
    thread = threading.Thread(target=running.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not running.started:
        assert time.monotonic() < deadline and thread.is_alive()
        time.sleep(0.02)
    port = running.servers[0].sockets[0].getsockname()[1]
    session = requests.Session()

    def ask(path: str, who: str | None = "broker", **more: object) -> requests.Response:
        headers = {str(k): str(v) for k, v in dict(more.pop("headers", {})).items()}  # type: ignore[call-overload]
        if who:
            headers["Authorization"] = f"Bearer {issued.get(who, who)}"
        method = str(more.pop("method", "GET"))
        query = f"?{urlencode(more)}" if more else ""
        return session.request(
            method, f"http://127.0.0.1:{port}{path}{query}", headers=headers, timeout=30
        )

    yield ask
    session.close()
    running.should_exit = True
    thread.join(timeout=20)


def read_all(get: Get, path: str, who: str = "broker", **more: object) -> list[dict[str, object]]:
    """All rows of a dataset, page by page."""
    answer = get(path, who, **more).json()
    rows = list(answer["data"])
    while answer["next"]:
        answer = get(answer["next"], who).json()
        rows += answer["data"]
    return rows


def published(data: DataFolder, sql: str) -> list[tuple]:
    with open_published(data) as connection:
        return connection.execute(sql).fetchall()


def text_of(value: object) -> object:
    """A value of a mart as JSON has it."""
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value.isoformat() if hasattr(value, "isoformat") else value


def test_every_dataset_has_the_rows_of_its_mart(get: Get, data: DataFolder) -> None:
    for dataset in DATASETS.values():
        expected = [
            [text_of(value) for value in row]
            for row in published(data, f"select * from {dataset.mart} order by rowid")
        ]
        rows = read_all(get, f"/v1/{dataset.name}", limit=37)
        assert [list(row.values()) for row in rows] == expected, dataset.name
    assert len(read_all(get, "/v1/billing-report")) > 60


def test_the_formats_have_the_same_rows(get: Get) -> None:
    rows = get("/v1/chargeback").json()["data"]
    table = csv.DictReader(io.StringIO(get("/v1/chargeback", format="csv").text))
    assert list(table) == [
        {name: "" if value is None else value for name, value in row.items()} for row in rows
    ]
    arrow = pa.ipc.open_stream(get("/v1/chargeback", format="arrow").content).read_all()
    accepted = {"Accept": "application/vnd.apache.parquet"}
    parquet = pa.parquet.read_table(io.BytesIO(get("/v1/chargeback", headers=accepted).content))
    assert arrow.equals(parquet)
    assert arrow.schema.field("charged_amount").type == pa.decimal128(28, 10)
    assert [text_of(value) for value in arrow["charged_amount"].to_pylist()] == [
        row["charged_amount"] for row in rows
    ]


def test_rows_are_filtered_by_period_and_organization(get: Get) -> None:
    rows = read_all(get, "/v1/chargeback", period="2026-02", organization="harbor")
    assert {(row["billing_period"], row["organization_id"]) for row in rows} == {
        ("2026-02", "harbor")
    }
    (focus,) = {
        (row["x_BillingPeriod"], row["BillingAccountId"])
        for row in read_all(
            get, "/v1/focus-cost-and-usage", **{"from": "2026-02", "to": "2026-02"},
            organization="harbor",
        )
    }  # fmt: skip
    assert focus == ("2026-02", "harbor")
    assert get("/v1/chargeback", period="2026-02", to="2026-02").status_code == 400
    assert get("/v1/reconciliation", organization="harbor").status_code == 400
    assert get("/v1/chargeback", period="February").status_code == 400


def test_an_organization_reads_its_own_rows_without_cost(get: Get, data: DataFolder) -> None:
    for dataset in DATASETS.values():
        mart = organization_mart(dataset)
        answer = get(f"/v1/{dataset.name}", "evergreen")
        if mart is None:
            assert answer.status_code == 403, dataset.name
            continue
        rows = answer.json()["data"]
        assert {row.get("organization_id", "evergreen") for row in rows} <= {"evergreen"}
        for row in rows:
            assert set(row) <= set(mart.columns), dataset.name
    (count,) = published(
        data, "select count(*) from billing_report where organization_id = 'evergreen'"
    )
    rows = read_all(get, "/v1/billing-report", "evergreen", limit=25)
    assert (len(rows),) == count
    assert "total_cost" not in rows[0] and "charged_amount" not in rows[0]
    # A line id is a hash of the cost: organizations get others, the same in every answer.
    hashed = {line for (line,) in published(data, "select line_id from billing_report")}
    assert not {row["line_id"] for row in rows} & hashed
    assert rows == read_all(get, "/v1/billing-report", "evergreen", limit=1000)
    # Harbor has no sales: all of its amounts are cost.
    assert get("/v1/changes", "harbor").json()["data"] == []
    assert get("/v1/chargeback", "harbor", organization="evergreen").status_code == 403


def test_a_cursor_is_for_one_query_and_one_scope(get: Get) -> None:
    following = get("/v1/billing-report", limit=2).json()["next"]
    assert get(following, "evergreen").status_code == 400
    cursor = following.split("cursor=")[1]
    assert get("/v1/chargeback", cursor=cursor).status_code == 400
    assert get("/v1/billing-report", cursor="x").status_code == 400
    assert get("/v1/billing-report", cursor="WyIuLi8uLiIsIDAsICJ4Il0").status_code == 400


def test_a_request_needs_a_valid_token(get: Get) -> None:
    for who in (None, "apportion_00000000_guess", "old"):
        answer = get("/v1/periods", who)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert get("/v1/periods", "narrow").status_code == 200
    assert get("/v1/chargeback", "narrow").status_code == 403
    assert get("/v1/periods", method="POST").status_code == 405
    assert get("/health", None).json()["status"] == "ok"


def test_periods_are_polled_with_an_etag(get: Get) -> None:
    answer = get("/v1/periods")
    statuses = {row["billing_period"]: row["status"] for row in answer.json()["data"]}
    assert statuses == {"2026-01": "closed", "2026-02": "open"}
    tag = answer.headers["ETag"]
    again = get("/v1/periods", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert get("/v1/periods", "evergreen", headers={"If-None-Match": tag}).status_code == 200


def test_answers_have_security_headers(get: Get) -> None:
    for answer in (get("/v1/periods"), get("/v1/periods", None), get("/nowhere")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert "Server" not in answer.headers
    assert get("/v1/periods", cursor="a" * 5000).status_code == 414
    assert get("/docs").status_code == 404


def test_tokens_are_stored_as_hashes_and_can_be_revoked(
    get: Get, data: DataFolder, issued: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tokens.path_of(data)
    assert path.stat().st_mode & 0o077 == 0
    assert not any(text in path.read_text() for text in issued.values())
    folder = ["--data", str(data.root)]
    assert cli.main(["api-token", "add", "till", "--organization", "evergreen", *folder]) == 0
    text = capsys.readouterr().out.strip()
    assert get("/v1/periods", text).status_code == 200
    assert cli.main(["api-token", "list", *folder]) == 0
    assert "evergreen  till" in capsys.readouterr().out
    assert cli.main(["api-token", "revoke", text.split("_")[1], *folder]) == 0
    assert get("/v1/periods", text).status_code == 401
    assert cli.main(["api-token", "add", "till", "--organization", "nobody", *folder]) == 2
    assert cli.main(["api-token", "add", "till", *folder]) == 2


def test_a_caller_who_asks_too_often_waits() -> None:
    now = [0.0]
    limit = RateLimit(2, lambda: now[0])
    assert [limit.seconds_to_wait("a") for _ in range(3)] == [0, 0, 30]
    assert limit.seconds_to_wait("b") == 0
    now[0] = 30
    assert [limit.seconds_to_wait("a") for _ in range(2)] == [0, 30]


def test_the_description_has_examples_and_survives_any_parameters(get: Get) -> None:
    described = get("/openapi.json", None).json()
    operations = {path: each["get"] for path, each in described["paths"].items()}
    assert set(operations) == {"/health", *(f"/v1/{name}" for name in DATASETS)}
    example = operations["/v1/changes"]["responses"]["200"]["content"]["application/json"]
    assert example["example"]["data"][0]["price_change"] == "264.8"
    assert (
        "cost center"
        in example["schema"]["properties"]["data"]["items"]["properties"]["splits_change"][
            "description"
        ]
    )

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def any_parameters(draw: st.DataObject) -> None:
        path = draw.draw(st.sampled_from(sorted(operations)))
        parameters = {
            each["name"]: draw.draw(st.text(max_size=12) | st.integers().map(str))
            for each in operations[path].get("parameters", ())
            if draw.draw(st.booleans())
        }
        answer = get(path, "broker", **parameters)
        assert str(answer.status_code) in operations[path]["responses"], answer.text

    any_parameters()


def test_all_pages_of_a_read_are_of_one_version(get: Get, data: DataFolder) -> None:
    first = get("/v1/billing-report", limit=10).json()
    whole = read_all(get, "/v1/billing-report")
    tag = get("/v1/periods").headers["ETag"]
    # Another version is published, without most of the rows.
    version = data.published_database.resolve().parent
    newer = version.with_name("000099-newer")
    shutil.copytree(version, newer)
    with duckdb.connect(str(newer / "apportion.duckdb")) as connection:
        connection.execute("delete from marts.billing_report where currency = 'USD'")
    switched = data.published / "switched"
    switched.symlink_to(Path("versions") / newer.name)
    switched.replace(data.published / "current")
    assert read_all(get, "/v1/billing-report") == [row for row in whole if row["currency"] == "EUR"]
    assert get("/v1/periods", headers={"If-None-Match": tag}).status_code == 200
    following = get(first["next"]).json()
    assert following["version"] == first["version"] == version.name
    assert first["data"] + following["data"] == whole[:20]
    # Later the version is removed.
    shutil.rmtree(version)
    gone = get(following["next"])
    assert gone.status_code == 410
    assert "start again" in json.loads(gone.content)["detail"]
