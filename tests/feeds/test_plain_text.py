"""Plain blocks of a text are read without a look at each line, and give the same rows."""

import gzip
from pathlib import Path
from random import Random

import pytest

from dagster_project.errors import RefusedFile
from dagster_project.feeds import readers
from dagster_project.settings import PROJECT_ROOT

FIXTURES = sorted(
    path
    for folder in (PROJECT_ROOT / "data" / "sample" / "landing", PROJECT_ROOT / "tests")
    for path in folder.rglob("*.csv*")
)
SEED = 20_26


def outcome(content: bytes) -> object:
    """Everything that is known of a file's rows, or the refusal."""
    try:
        rows = readers.read_rows(content)
    except RefusedFile as refusal:
        return type(refusal), str(refusal)
    return (
        rows.headers,
        rows.table.to_pydict() if len(set(rows.headers)) == len(rows.headers) else rows.table,
        rows.row_numbers.to_pylist(),
        rows.rejected,
        rows.encoding,
        rows.delimiter,
    )


def both_outcomes(content: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[object, object]:
    plainly = outcome(content)
    with monkeypatch.context() as patched:
        patched.setattr(readers, "are_plain", lambda lines: False)
        patched.setattr(readers, "ARROW_BLOCK_BYTES", 2**30)
        line_by_line = outcome(content)
    return plainly, line_by_line


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_a_fixture_gives_the_same_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    plainly, line_by_line = both_outcomes(content, monkeypatch)
    assert plainly == line_by_line


def made_file(random: Random) -> bytes:
    """Mostly clean rows, with some of what files contain besides."""
    width = random.randint(1, 6)
    delimiter = random.choice(readers.DELIMITERS)
    values = ("", "a", "12.50", "NULL", "  ", "Größe", "'7", "x y", "\ufeff", "5\u00a0000")
    odd_values = ('"q"', '"a,b"', 'in"ch', '"open', '"two\nlines"', "\x00", "\ufdd0", "x" * 5000)
    oddity = random.choice((0, 0, 0.01, 0.1))
    lines = [delimiter.join(f"column {at}" for at in range(width))]
    for _ in range(random.randint(0, 60)):
        row = [
            random.choice(odd_values if random.random() < oddity else values) for _ in range(width)
        ]
        if random.random() < oddity:
            row = row[:-1] if random.random() < 0.5 else [*row, "more"]
        lines.append(delimiter.join(row))
        if random.random() < oddity:
            lines.append(random.choice(("", "   ", "\t", "\u2003")))
    end = random.choice(("\n", "\r\n", "\r"))
    text = end.join(lines) + random.choice(("", end, end * 3))
    content = text.encode(random.choice(("utf-8", "utf-8-sig", "utf-16")))
    if random.random() < oddity:
        at = random.randrange(len(content))
        content = content[:at] + b"\xff" + content[at:]
    return content


@pytest.mark.parametrize("block_bytes", [64, 1024, 8 * 1024**2])
def test_made_files_give_the_same_rows(block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", block_bytes)
    plain_blocks = 0
    is_plain = readers.are_plain

    def counted(lines: list[str]) -> bool:
        nonlocal plain_blocks
        plain_blocks += bool(lines) and is_plain(lines)
        return is_plain(lines)

    monkeypatch.setattr(readers, "are_plain", counted)
    for number in range(200):
        content = made_file(Random(SEED + number))
        plainly, line_by_line = both_outcomes(content, monkeypatch)
        assert plainly == line_by_line, f"seed {SEED + number}: {content[:300]!r}"
    # Otherwise nothing was compared.
    assert plain_blocks > 50
