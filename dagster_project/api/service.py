"""The HTTP service: addresses, parameters, answers and errors.

Belongs here: FastAPI. Does not: the query of a page (pages), tokens on disk (tokens).

Errors are problem details (RFC 9457). The service reads published versions only and has no method
but GET.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from dagster_project import dbt_runner
from dagster_project.api import pages, tokens
from dagster_project.api.datasets import DATASETS, Dataset, NotReadable, organization_mart
from dagster_project.api.formats import FORMATS, format_for
from dagster_project.api.guards import LONGEST_QUERY, SECURITY_HEADERS, RateLimit
from dagster_project.api.tokens import Token
from dagster_project.settings import DataFolder

PROBLEM = "application/problem+json"
DEFAULT_ROWS, MOST_ROWS = 1_000, 50_000
MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
DEFAULT_PER_MINUTE = 300
FAILURES_PER_MINUTE = 30

Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, description="A token of `apportion api-token add`.")),
]
Period = Annotated[
    str | None, Query(pattern=MONTH, description="One period.", examples=["2026-01"])
]
FirstPeriod = Annotated[
    str | None, Query(alias="from", pattern=MONTH, description="First period of a range.")
]
LastPeriod = Annotated[
    str | None, Query(alias="to", pattern=MONTH, description="Last period of a range.")
]
Organization = Annotated[
    str | None,
    Query(max_length=200, description="One organization. Tokens of organizations have their own."),
]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of a page.")]
CursorText = Annotated[
    str | None,
    Query(max_length=400, description="The place after the page before: see `next`."),
]
FormatName = Annotated[
    str | None,
    Query(
        alias="format",
        pattern=f"^({'|'.join(FORMATS)})$",
        description="json, csv, arrow or parquet. Without it the header Accept decides.",
    ),
]

DESCRIPTION = """
Rows of the published tables of Apportion.

Every dataset has the columns of its table. Amounts, quantities and shares are text in JSON and CSV,
because they are decimals. `GET /v1/periods` lists which billing periods are closed; ask for it with
`If-None-Match`. A page has the address of the next one in `next`, and in the header `Link`. All
pages of one read are of one published version, `version` and header `Apportion-Version`.
"""


class Problem(Exception):
    """An error that is reported to the caller."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        """`detail` is a sentence for the caller."""
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})


class TokenStore:
    """The tokens of the file, read again when it changes."""

    def __init__(self, path: Path) -> None:
        """`path` may not exist yet."""
        self.path = path
        self._read_at: tuple[int, int] | None = None
        self._file = tokens.TokenFile("")

    def file(self) -> tokens.TokenFile:
        """The current tokens."""
        try:
            status = self.path.stat()
            seen = (status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            return tokens.TokenFile("")
        if seen != self._read_at:
            self._file, self._read_at = tokens.read(self.path), seen
        return self._file


def create_app(
    data: DataFolder,
    token_file: Path | None = None,
    *,
    per_minute: int = DEFAULT_PER_MINUTE,
    failures_per_minute: int = FAILURES_PER_MINUTE,
) -> FastAPI:
    """The service on one data folder."""
    app = FastAPI(
        title="Apportion",
        version="1",
        description=DESCRIPTION,
        # The pages of Swagger UI and ReDoc load scripts of another host.
        docs_url=None,
        redoc_url=None,
    )
    versions = pages.Published(data)
    store = TokenStore(token_file or tokens.path_of(data))
    requests, failures = RateLimit(per_minute), RateLimit(failures_per_minute)

    def caller(request: Request, given: Bearer) -> Token:
        token = given and tokens.find(store.file(), given.credentials, datetime.now(UTC))
        if not token:
            host = request.client.host if request.client else ""
            _slow_down(failures.seconds_to_wait(host))
            raise Problem(
                401, "a valid token is needed", {"WWW-Authenticate": 'Bearer realm="apportion"'}
            )
        _slow_down(requests.seconds_to_wait(token.id))
        return token

    @app.middleware("http")
    async def guard(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if len(request.url.query) > LONGEST_QUERY:
            response = _problem(414, f"the query is longer than {LONGEST_QUERY} characters")
        else:
            response = await call_next(request)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    _add_errors(app)

    @app.get("/health", summary="Whether anything is published", tags=["service"])
    def health() -> dict[str, str]:
        """The name of the published version. Needs no token."""
        return {"status": "ok", "version": pages.current_version(data)}

    def add(dataset: Dataset) -> None:
        def read(
            request: Request,
            token: Annotated[Token, Depends(caller)],
            period: Period = None,
            first_period: FirstPeriod = None,
            last_period: LastPeriod = None,
            organization: Organization = None,
            limit: Limit = DEFAULT_ROWS,
            cursor: CursorText = None,
            format_name: FormatName = None,
        ) -> Response:
            if period and (first_period or last_period):
                raise Problem(400, "period and from or to exclude each other")
            if token.organization_id and organization not in (None, token.organization_id):
                raise Problem(403, "this token is for another organization")
            filters = pages.Filters(
                period or first_period,
                period or last_period,
                None if token.organization_id else organization,
            )
            form = format_for(format_name, request.headers.get("accept", ""))
            query = pages.query_id(dataset, token, filters)
            version = pages.Cursor.from_text(cursor).version if cursor else None
            tag = _tag(version or pages.current_version(data), query, cursor, limit, form.name)
            headers = {"ETag": tag}
            if tag in request.headers.get("if-none-match", "") and token.may_read(dataset.name):
                return Response(status_code=304, headers=headers)
            page = pages.read_page(
                versions,
                dataset,
                token,
                filters,
                limit=limit,
                cursor=cursor,
                line_salt=store.file().line_salt,
            )
            following = page.next and _address(request, cursor=page.next)
            # Another version may have been published since.
            headers["ETag"] = _tag(page.version, query, cursor, limit, form.name)
            headers["Apportion-Version"] = page.version
            if following:
                headers["Link"] = f'<{following}>; rel="next"'
            if form.name != "json":
                name = f"{dataset.name}.{form.name}"
                headers["Content-Disposition"] = f'attachment; filename="{name}"'
            return Response(
                form.write(page.rows, page.version, following),
                media_type=form.media_type,
                headers=headers,
            )

        app.add_api_route(
            f"/v1/{dataset.name}",
            read,
            methods=["GET"],
            summary=_summary(dataset),
            description=_description(dataset),
            response_class=Response,
            responses=_responses(dataset),
            tags=["data"],
            operation_id=f"read_{dataset.mart}",
        )

    for each in DATASETS.values():
        add(each)
    return app


def _slow_down(seconds: int) -> None:
    if seconds:
        raise Problem(429, "too many requests", {"Retry-After": str(seconds)})


def _add_errors(app: FastAPI) -> None:
    statuses: Mapping[type[Exception], int] = {
        pages.NothingIsPublished: 503,
        pages.TooSlow: 503,
        pages.VersionIsGone: 410,
        pages.UnusableRequest: 400,
        NotReadable: 403,
    }
    for error_type, status in statuses.items():
        # The default binds the status of this turn.
        async def known(request: Request, error: Exception, status: int = status) -> Response:
            return _problem(status, str(error))

        app.add_exception_handler(error_type, known)

    async def problem(request: Request, error: Exception) -> Response:
        if isinstance(error, Problem):
            return _problem(error.status, str(error), error.headers)
        return _problem(500, "an error of the service; its log has the details")

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _problem(error.status_code, str(error.detail), error.headers)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = [f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()]
        return _problem(400, "; ".join(faults))

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, problem)


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    content = {"status": status, "detail": detail}
    return Response(
        json.dumps(content), status, media_type=PROBLEM, headers=dict(headers) if headers else None
    )


def _tag(version: str, *parts: object) -> str:
    content = json.dumps([version, *parts]).encode()
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _address(request: Request, **changed: str) -> str:
    # Relative: a proxy may have another host, scheme or prefix.
    parameters = {**dict(request.query_params), **changed}
    return f"{request.url.path}?{urlencode(parameters)}"


# --- OpenAPI ----------------------------------------------------------------------------


@cache
def _models() -> Mapping[str, Mapping[str, Any]]:
    """The models of dbt's manifest, which takes a while to read, by name."""
    nodes = dbt_runner.read_manifest()["nodes"].values()
    return {node["name"]: node for node in nodes if node["resource_type"] == "model"}


def _model(dataset: Dataset) -> Mapping[str, Any]:
    return _models()[dataset.mart]


def _description(dataset: Dataset) -> str:
    who = "Organizations read their own rows" if organization_mart(dataset) else "Broker only"
    return f"{' '.join(str(_model(dataset)['description']).split())} {who}."


def _summary(dataset: Dataset) -> str:
    return f"Rows of {dataset.mart}"


def _responses(dataset: Dataset) -> dict[int | str, dict[str, Any]]:
    columns = {
        name: (str(column["data_type"]), " ".join(str(column["description"]).split()))
        for name, column in _model(dataset)["columns"].items()
    }
    row = {
        "type": "object",
        "properties": {
            name: {**_schema(data_type), "description": words}
            for name, (data_type, words) in columns.items()
        },
    }
    schema = {
        "type": "object",
        "required": ["version", "data", "next"],
        "properties": {
            "version": {"type": "string"},
            "data": {"type": "array", "items": row},
            "next": {"type": ["string", "null"]},
        },
    }
    example = {
        "version": "000012-3f9a51c0",
        "data": [{name: _example(name, data_type) for name, (data_type, _) in columns.items()}],
        "next": f"/v1/{dataset.name}?cursor=WyIwMDAwMTIt",
    }
    binary = {"schema": {"type": "string", "format": "binary"}}
    content: dict[str, Any] = {each.media_type: binary for each in FORMATS.values()}
    content["application/json"] = {"schema": schema, "example": example}
    problem = {
        "type": "object",
        "properties": {"status": {"type": "integer"}, "detail": {"type": "string"}},
    }
    errors = {
        400: "A parameter cannot be used",
        401: "No valid token",
        403: "The token does not cover the rows",
        410: "The version of the cursor was removed: start again",
        429: "Too many requests: wait as long as Retry-After says",
        503: "Nothing is published, or the query takes too long",
    }
    return {
        200: {"description": "A page of rows", "content": content},
        304: {"description": "Not modified since the ETag in If-None-Match"},
        **{
            status: {"description": words, "content": {PROBLEM: {"schema": problem}}}
            for status, words in errors.items()
        },
    }


def _schema(data_type: str) -> dict[str, Any]:
    match re.sub(r"\(.*", "", data_type.lower()):
        case "decimal":
            return {"type": ["string", "null"], "format": "decimal"}
        case "bigint" | "integer" | "hugeint":
            return {"type": ["integer", "null"]}
        case "boolean":
            return {"type": ["boolean", "null"]}
        case "date":
            return {"type": ["string", "null"], "format": "date"}
        case "timestamp":
            return {"type": ["string", "null"], "format": "date-time"}
        case _:
            return {"type": ["string", "null"]}


def _example(name: str, data_type: str) -> object:
    known = {"billing_period": "2026-01", "currency": "USD", "organization_id": "alder"}
    if name in known:
        return known[name]
    match re.sub(r"\(.*", "", data_type.lower()):
        case "decimal":
            return "0.5" if name == "share" else "264.8"
        case "bigint" | "integer" | "hugeint":
            return 1
        case "boolean":
            return False
        case "date":
            return "2026-01-06"
        case "timestamp":
            return "2026-01-06T00:00:00"
        case _:
            return f"{name.replace('_', ' ')}"
