"""Check of a downloaded blob: a complete gzip file within the limits."""

import gzip
import zlib
from pathlib import Path

from dagster_project.partner_center.errors import DamagedBlob, ExportTooLarge
from dagster_project.settings import Limits

CHUNK_BYTES = 256 * 1024


def require_whole_gzip(path: Path, limits: Limits, shown: str) -> None:
    """Raise DamagedBlob or ExportTooLarge: a blob in landing is never downloaded again."""
    unpacked_bytes = 0
    try:
        with gzip.open(path) as archive:
            while chunk := archive.read(CHUNK_BYTES):
                unpacked_bytes += len(chunk)
                if unpacked_bytes > limits.unpacked_bytes:
                    raise ExportTooLarge(
                        f"{shown} unpacks to more than the limit of {limits.unpacked_bytes:,} bytes"
                    )
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DamagedBlob(f"{shown} is not a complete gzip file ({error})") from error
    if path.stat().st_size == 0:
        raise DamagedBlob(f"{shown} is empty")
