"""Files that are written in one step, and texts that spreadsheet programs do not evaluate."""

from decimal import Decimal
from pathlib import Path

import pytest

from dagster_project.files import file_name, replaced_at_once, write_csv


def test_a_new_file_replaces_the_old_one_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.txt"
    for text in ("first", "second"):
        with replaced_at_once(path) as building:
            building.write_text(text)
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(path, ["n"], [[1]])
    before = path.read_bytes()

    def rows():
        yield [2]
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_csv(path, ["n"], rows())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_files_of_an_interrupted_export_are_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.txt.building").write_text("half of a long file")
    with replaced_at_once(tmp_path / "a.txt") as building:
        assert not building.exists()
        building.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_a_csv_file_has_plain_numbers_and_no_formulas(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert write_csv(path, ["=name", "n"], [["=1+1", Decimal("-1.50")], [None, True]]) == 2
    assert path.read_bytes() == b"\xef\xbb\xbf'=name,n\r\n'=1+1,-1.5\r\n,true\r\n"


@pytest.mark.parametrize(
    ("text", "name"), [("a/b: c?", "a-b-c"), ("...", "unnamed"), ("é" * 3, "unnamed")]
)
def test_a_file_name_is_valid_on_every_system(text: str, name: str) -> None:
    assert file_name(text) == name
