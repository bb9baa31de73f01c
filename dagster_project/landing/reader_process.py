"""The process that reads foreign files within limits, so that a file can end it and not the run.

Belongs here: the parent's side: starting the process, handing a file over, and its death. Does
not: the child's side (reader_child).

The child gets an open file and an open place for its result, and nothing else of the run: no path,
no environment with tokens, no database. Its answer is JSON and Arrow data, never pickled objects.
"""

import atexit
import contextlib
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import asdict
from typing import IO, Any

import pyarrow as pa

from dagster_project import errors
from dagster_project.errors import ReaderEnded, RefusedFile, TooLarge
from dagster_project.feeds.formats import FORMATS
from dagster_project.feeds.readers import LandedRows, RejectedRow
from dagster_project.landing import folder
from dagster_project.landing.folder import FileBytes
from dagster_project.landing.registry import FileNote
from dagster_project.landing.understanding import ParsedFile, Reading, UnderstoodFile
from dagster_project.settings import PROJECT_ROOT, Limits

KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONDONTWRITEBYTECODE", "SYSTEMROOT")
SPARING = {
    # Threads, and allocators that reserve or keep memory, would use up the limit for nothing: a
    # bill of 220 MB takes 500 MB with these settings, and 1 GB without.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
START_SECONDS = 120
WAIT_FACTOR = 4
"""A process that gets no processor time is given up after this many times the limit."""

ROW_NUMBER = "row_number"


class ReaderNotStarted(errors.ApportionError):
    """The process that reads files cannot be started: the installation is damaged."""


class _Died(Exception):
    """The process ended before it answered; `status` is that of waiting for it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Reader:
    """One child process, started when it is first needed and again after it ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._is_ready = False
        self._errors: IO[bytes] | None = None

    def start(self) -> None:
        """Start the process and return at once: its imports take half a second."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        if self._process is not None:
            return
        ours, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dagster_project.landing.reader_child"],
            cwd=PROJECT_ROOT,
            env=environment | SPARING,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            # Ctrl-C is for the run, which ends this process.
            start_new_session=True,
        )
        theirs.close()
        self._socket, self._is_ready = ours, False

    def ask(self, request: dict[str, Any], descriptors: list[int], seconds: int) -> dict[str, Any]:
        """The answer of the process to a request. Raises _Died and ReaderNotStarted."""
        with self._lock:
            self._start()
            assert self._socket is not None
            try:
                if not self._is_ready:
                    self._socket.settimeout(START_SECONDS)
                    self._answer()
                    self._is_ready = True
                self._socket.settimeout(seconds)
                message = json.dumps(request).encode() + b"\n"
                socket.send_fds(self._socket, [message[:1]], descriptors)
                self._socket.sendall(message[1:])
                answer = self._answer()
                if answer["is_last"]:
                    self._end()
                return answer
            except (OSError, EOFError) as error:
                was_ready, reported = self._is_ready, self._reported()
                status = self._end()
                if not was_ready:
                    raise ReaderNotStarted(
                        f"the process that reads files did not start: {reported or error}"
                    ) from error
                raise _Died(
                    -signal.SIGXCPU if isinstance(error, TimeoutError) else status
                ) from error

    def _answer(self) -> dict[str, Any]:
        assert self._socket is not None
        received = b""
        while not received.endswith(b"\n"):
            part = self._socket.recv(65536)
            if not part:
                raise EOFError
            received += part
        answer: dict[str, Any] = json.loads(received)
        return answer

    def _reported(self) -> str:
        assert self._errors is not None
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:500] if lines else ""

    def _end(self) -> int:
        assert self._process is not None and self._socket is not None
        self._socket.close()
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if self._errors is not None:
            self._errors.close()
        self._process = self._socket = self._errors = None
        return status

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._process is not None:
                self._end()


_READER = _Reader()
start = _READER.start
close = _READER.close
atexit.register(close)


def parse(
    file: FileBytes, name: str, feed: str | None, reading: Reading, known_hashes: Iterable[str]
) -> tuple[ParsedFile, ...]:
    """The rows of a file, read in the process. Raises RefusedFile, also where the process ends."""
    limits = reading.limits
    request = {
        "name": name,
        "feed": feed,
        "limits": asdict(limits),
        "declarations": reading.declarations.model_dump_json(exclude_unset=True),
        "known_hashes": sorted(known_hashes),
    }
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(file.path.open("rb", buffering=0))
        # Without a name, so that it is gone however the run ends.
        result = stack.enter_context(tempfile.TemporaryFile(dir=reading.scratch))
        try:
            answer = _READER.ask(
                request,
                [source.fileno(), result.fileno()],
                seconds=WAIT_FACTOR * limits.read_seconds + 10,
            )
        except _Died as death:
            raise _refusal(death.status, limits) from death
        folder.require_unchanged(file)
        for message in answer.get("progress", []):
            reading.progress(message)
        if "error_number" in answer:
            raise OSError(
                answer["error_number"], os.strerror(answer["error_number"]), str(reading.scratch)
            )
        if "fault" in answer:
            raise RuntimeError(f"{name}: {answer['fault']}")
        if "refusal" in answer:
            raise _named_refusal(answer["refusal"], answer["message"], limits)
        return _results(result, answer)


def _refusal(status: int, limits: Limits) -> RefusedFile:
    """Why a file is refused on which the process ended with a status."""
    if status == -signal.SIGXCPU:
        return TooLarge(
            f"reading it takes more than the limit of {limits.read_seconds} seconds; split the"
            " file, or raise APPORTION_MAX_READ_SECONDS"
        )
    if status == -signal.SIGKILL:
        return _needs_memory(limits)
    how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return ReaderEnded(
        f"the process that reads files ended on it ({how}): the file is damaged, or needs more than"
        f" the limit of {limits.read_memory_bytes:,} bytes of memory; save it again, or split it"
    )


def _needs_memory(limits: Limits) -> RefusedFile:
    return TooLarge(
        f"reading it needs more than the limit of {limits.read_memory_bytes:,} bytes of memory;"
        " split the file, or raise APPORTION_MAX_READ_MEMORY_BYTES"
    )


def _named_refusal(kind: str, message: str, limits: Limits) -> RefusedFile:
    if kind == "MemoryError":
        return _needs_memory(limits)
    named = getattr(errors, kind, None)
    if not (isinstance(named, type) and issubclass(named, RefusedFile)):
        named = RefusedFile
    return named(message)


def _results(result: IO[bytes], answer: dict[str, Any]) -> tuple[ParsedFile, ...]:
    size = os.fstat(result.fileno()).st_size
    content = mmap.mmap(result.fileno(), size, access=mmap.ACCESS_READ)
    first, behind = answer["described"]
    described = json.loads(content[first:behind])
    buffer = pa.py_buffer(content)
    return tuple(_parsed_file(each, buffer) for each in described)


def _parsed_file(described: dict[str, Any], buffer: pa.Buffer) -> ParsedFile:
    understood = described["understood"]
    return ParsedFile(
        name=described["name"],
        size_bytes=described["size_bytes"],
        file_hash=described["file_hash"],
        content_hash=described["content_hash"],
        understood=understood and _understood(understood, buffer),
    )


def _understood(described: dict[str, Any], buffer: pa.Buffer) -> UnderstoodFile:
    first, behind = described["table"]
    with pa.ipc.open_stream(buffer.slice(first, behind - first)) as stream:
        table = stream.read_all()
    row_numbers = table.column(table.num_columns - 1).combine_chunks()
    table = table.remove_column(table.num_columns - 1)
    headers = tuple(described["headers"])
    (file_format,) = (each for each in FORMATS if each.name == described["format"])
    return UnderstoodFile(
        file_format,
        LandedRows(
            headers=headers,
            table=table.rename_columns(list(headers)),
            row_numbers=row_numbers,
            rejected=tuple(RejectedRow(**each) for each in described["rejected"]),
            container=described["container"],
            sheet=described["sheet"],
            column_letters=described["column_letters"],
            next_page=described["next_page"],
            encoding=described["encoding"],
            delimiter=described["delimiter"],
        ),
        described["subscription_header"],
        tuple(FileNote(**each) for each in described["notes"]),
    )
