"""The process of the HTTP service.

Belongs here: uvicorn and its limits. Does not: what is answered (service).
"""

from typing import TYPE_CHECKING

from dagster_project.errors import UsageError
from dagster_project.settings import DataFolder

if TYPE_CHECKING:
    import uvicorn

    from dagster_project.commands import ApiSettings

MOST_CONNECTIONS = 64
LONGEST_HEADERS = 16 * 1024
"""Bytes of a request's first line and headers."""

IDLE_SECONDS = 5
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class MissingPackage(UsageError):
    """A package of the HTTP service is not installed."""


def server_of(data: DataFolder, settings: "ApiSettings") -> "uvicorn.Server":
    """The server, not yet started. Raises MissingPackage."""
    try:
        import uvicorn

        from dagster_project.api.service import create_app
    except ModuleNotFoundError as error:
        raise MissingPackage(
            f"the package {error.name} is not installed; `make api` installs it"
        ) from error
    return uvicorn.Server(
        uvicorn.Config(
            create_app(data, per_minute=settings.per_minute),
            host=settings.host,
            port=settings.port,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
            http="h11",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            # A header of a client could otherwise name another address for the limits.
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            h11_max_incomplete_event_size=LONGEST_HEADERS,
        )
    )


def serve(data: DataFolder, settings: "ApiSettings") -> int:
    """Serve until Ctrl-C or SIGTERM; returns the exit code."""
    server = server_of(data, settings)
    scheme = "https" if settings.certificate else "http"
    print(f"API           {scheme}://{settings.host}:{settings.port}/openapi.json", flush=True)
    if settings.host not in LOOPBACK and not settings.certificate:
        print("Tokens travel unencrypted: set --certificate and --key, or a proxy with TLS.")
    server.run()
    return 0
