"""The child's side of reader_process: reads one file after the other, each within limits.

Started by reader_process with a socket as its standard input. For each request it gets two open
files: the landed file and the place for the result.
"""

import json
import os
import resource
import signal
import socket
from dataclasses import asdict
from typing import IO, Any, BinaryIO, cast

import pyarrow as pa

from dagster_project.errors import RefusedFile
from dagster_project.feeds import archives
from dagster_project.feeds.declarations import Declarations
from dagster_project.landing import understanding
from dagster_project.landing.reader_process import ROW_NUMBER
from dagster_project.landing.understanding import ParsedFile, Reading, UnderstoodFile
from dagster_project.settings import Limits

BATCH_ROWS = 65_536


def main() -> None:
    """Answer requests until the run closes the socket."""
    pa.set_cpu_count(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = socket.socket(fileno=0)
    connection.sendall(b'{"is_ready": true}\n')
    while True:
        first, descriptors, _, _ = socket.recv_fds(connection, 1, 2)
        if not first:
            return
        message = first
        while not message.endswith(b"\n"):
            message += connection.recv(1024**2)
        source, result = descriptors
        answer: dict[str, Any] = {}
        try:
            with os.fdopen(source, "rb") as file, os.fdopen(result, "wb") as output:
                answer = _answer(json.loads(message), cast(BinaryIO, file), output)
        except OSError as error:
            # What is still to be written is written when the result is closed.
            answer |= {"error_number": error.errno or 0}
        # Where memory ran out, there may be none for another file.
        is_last = answer.get("refusal") == "MemoryError"
        connection.sendall(json.dumps(answer | {"is_last": is_last}).encode() + b"\n")
        if is_last:
            return


def _answer(request: dict[str, Any], file: BinaryIO, output: IO[bytes]) -> dict[str, Any]:
    limits = Limits(**request["limits"])
    progress: list[str] = []
    reading = Reading(
        limits,
        (),
        progress.append,
        Declarations.model_validate_json(request["declarations"]),
    )
    answer: dict[str, Any]
    try:
        _set_limits(limits)
        feed = request["feed"]
        members = archives.open_members(
            file, limits.unpacked_bytes, understanding.hash_prefix(feed)
        )
        parsed = understanding.parse(
            members, request["name"], feed, reading, frozenset(request["known_hashes"])
        )
        answer = {"described": _write(parsed, output)}
    except RefusedFile as refusal:
        answer = {"refusal": type(refusal).__name__, "message": str(refusal)}
    except MemoryError:
        answer = {"refusal": "MemoryError", "message": ""}
    except OSError as error:
        answer = {"error_number": error.errno or 0}
    except Exception as error:
        answer = {"fault": f"{type(error).__name__}: {error}"[:1000]}
    return answer | {"progress": progress}


def _set_limits(limits: Limits) -> None:
    """Limit the processor time of this request, and the memory that this process may write."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + limits.read_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    memory = limits.read_memory_bytes
    # Linux counts the private memory that a process may write as its data; the address space
    # has libraries and reservations besides. Other systems may not keep the limit.
    resource.setrlimit(resource.RLIMIT_DATA, (memory, resource.RLIM_INFINITY))


def _write(parsed: tuple[ParsedFile, ...], output: IO[bytes]) -> tuple[int, int]:
    """Write the tables and then their description; returns where the description is."""
    described = []
    for each in parsed:
        understood = None
        if each.understood is not None:
            understood = _describe(each.understood, output)
        described.append(
            {
                "name": each.name,
                "size_bytes": each.size_bytes,
                "file_hash": each.file_hash,
                "content_hash": each.content_hash,
                "understood": understood,
            }
        )
    first = output.tell()
    output.write(json.dumps(described).encode())
    output.flush()
    return first, output.tell()


def _describe(understood: UnderstoodFile, output: IO[bytes]) -> dict[str, Any]:
    rows = understood.rows
    first = output.tell()
    # Columns by place: two may have one name until the header is refused.
    names = [str(at) for at in range(len(rows.headers))]
    table = rows.table.rename_columns(names).append_column(ROW_NUMBER, rows.row_numbers)
    with pa.ipc.new_stream(pa.PythonFile(output, mode="w"), table.schema) as stream:
        stream.write_table(table, max_chunksize=BATCH_ROWS)
    output.flush()
    return {
        "table": (first, output.tell()),
        "format": understood.file_format.name,
        "subscription_header": understood.subscription_header,
        "notes": [asdict(each) for each in understood.notes],
        "headers": rows.headers,
        "rejected": [asdict(each) for each in rows.rejected],
        "container": rows.container,
        "sheet": rows.sheet,
        "column_letters": rows.column_letters,
        "next_page": rows.next_page,
        "encoding": rows.encoding,
        "delimiter": rows.delimiter,
    }


if __name__ == "__main__":
    main()
