"""A ledger without its last postings, its folder or its last hashes is refused by its anchors."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from test_postings import CLOSED_AT, Books

from dagster_project.__main__ import main
from dagster_project.errors import BadSetting, LedgerBroken
from dagster_project.ledger import anchors
from dagster_project.ledger.anchors import Head
from dagster_project.ledger.postings import Posting, load_postings, read_postings
from dagster_project.settings import DataFolder

KEY = b"k" * 32


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


@pytest.fixture
def seen(data: DataFolder) -> Books:
    """January and February are posted, and a run has recorded the head."""
    books = Books.of_two_months(data.ledger)
    anchors.remember(data, books.read())
    return books


def test_an_unchanged_ledger_is_checked_against_both_anchors(data: DataFolder, seen: Books) -> None:
    verification = anchors.verify(data)
    assert [each.billing_period for each in verification.postings] == ["2025-01", "2025-02"]
    assert verification.anchors == anchors.anchor_files(data)


def test_a_ledger_may_have_new_postings_since_the_recorded_head(
    data: DataFolder, seen: Books
) -> None:
    seen.post("2025-03")
    assert len(anchors.verify(data).postings) == 3


def lose_the_folder(books: Books) -> None:
    shutil.rmtree(books.folder)


def lose_the_last_posting(books: Books) -> None:
    (books.folder / "000002-2025-02.parquet").unlink()
    books.write_lines(books.lines()[:1])


def rewrite_the_last_posting(books: Books) -> None:
    lose_the_last_posting(books)
    books.connection.execute("update intermediate.int_report_rows set total_cost = 1")
    books.post("2025-02")


def empty_the_chain(books: Books) -> None:
    shutil.rmtree(books.folder)
    books.folder.mkdir()


@pytest.mark.parametrize(
    "lose", [lose_the_folder, lose_the_last_posting, rewrite_the_last_posting, empty_the_chain]
)
@pytest.mark.parametrize("anchor", [0, 1], ids=["published", "run records"])
def test_a_ledger_with_fewer_postings_is_refused_by_either_anchor(
    data: DataFolder, seen: Books, lose, anchor: int
) -> None:
    anchors.anchor_files(data)[1 - anchor].unlink()
    last = read_postings(data.ledger)[-1]
    lose(seen)
    # The chain alone shows nothing.
    assert len(read_postings(data.ledger)) <= 2
    with pytest.raises(LedgerBroken) as broken:
        anchors.verify(data)
    assert f"records {Head.of(last).receipt()}" in str(broken.value)
    there = read_postings(data.ledger)
    ends_with = Head.of(there[-1]).receipt() if there else "no posting"
    assert f"{data.ledger} ends with {ends_with}." in str(broken.value)
    assert f"Restore {data.ledger} from a backup" in str(broken.value)


def test_the_state_of_the_published_version_records_the_head_too(
    data: DataFolder, seen: Books
) -> None:
    state = data.published / "current" / "state.json"
    state.parent.mkdir()
    head = dataclasses.asdict(Head.of(seen.read()[-1]))
    state.write_text(json.dumps({"state_id": "a", "ledger_head": [head]}))
    assert state in anchors.verify(data).anchors
    lose_the_last_posting(seen)
    for path in anchors.anchor_files(data):
        path.unlink()
    with pytest.raises(LedgerBroken, match=r"current/state\.json records posting 2"):
        anchors.verify(data)
    # Versions of earlier programs and damaged ones have no head.
    for content in ('{"state_id": "a"}', '{"ledger_head": []}', '{"ledger_head": [7]}', "{"):
        state.write_text(content)
        assert anchors.verify(data).anchors == ()


@pytest.mark.parametrize("content", ["{", "", "[]"])
def test_a_damaged_anchor_is_an_error_that_names_it(
    data: DataFolder, seen: Books, content: str
) -> None:
    path = anchors.anchor_files(data)[0]
    path.write_text(content)
    with pytest.raises(LedgerBroken, match=r"ledger_head\.json is damaged"):
        anchors.verify(data)


def test_a_folder_in_the_place_of_the_chain_is_refused(data: DataFolder, seen: Books) -> None:
    seen.chain.unlink()
    seen.chain.mkdir()
    with pytest.raises(LedgerBroken, match=r"chain\.jsonl is a folder; restore the file"):
        anchors.verify(data)


def test_without_a_posting_no_head_is_recorded(data: DataFolder) -> None:
    anchors.remember(data, ())
    assert not any(path.exists() for path in anchors.anchor_files(data))
    assert anchors.verify(data).postings == ()


# --- the log outside the data folder ------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "anchors.jsonl"
    monkeypatch.setenv(anchors.ANCHOR_FILE_VARIABLE, str(path))
    return path


def test_the_log_outside_has_a_line_per_posting_and_only_grows(
    data: DataFolder, seen: Books, log: Path
) -> None:
    anchors.remember(data, seen.read())
    before = log.read_text()
    heads = [json.loads(line) for line in before.splitlines()]
    assert [Head(**each) for each in heads] == [Head.of(each) for each in seen.read()]
    first = seen.read()[0]
    # Programs that keep the log compare its text.
    hashed = f'"entry_hash": "{first.entry_hash}"'
    assert before.startswith(f'{{"billing_period": "2025-01", {hashed}, "posting_number": 1}}\n')
    anchors.remember(data, seen.read())
    assert log.read_text() == before
    seen.post("2025-03")
    anchors.remember(data, seen.read())
    assert log.read_text().startswith(before) and len(log.read_text().splitlines()) == 3
    assert anchors.verify(data).anchors == (*anchors.anchor_files(data), log)


@pytest.mark.parametrize(
    "lose", [lose_the_folder, lose_the_last_posting, rewrite_the_last_posting, empty_the_chain]
)
def test_the_log_outside_shows_a_loss_of_the_whole_data_folder(
    data: DataFolder, seen: Books, log: Path, lose: Callable[[Books], None]
) -> None:
    anchors.remember(data, seen.read())
    for path in anchors.anchor_files(data):
        path.unlink()
    lose(seen)
    with pytest.raises(LedgerBroken, match=r"anchors\.jsonl records posting"):
        anchors.verify(data)


def test_a_log_in_the_data_folder_is_refused(
    data: DataFolder, seen: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(anchors.ANCHOR_FILE_VARIABLE, str(data.root / "anchors.jsonl"))
    with pytest.raises(BadSetting, match="in the data folder; keep it elsewhere"):
        anchors.remember(data, seen.read())
    with pytest.raises(BadSetting, match="in the data folder; keep it elsewhere"):
        anchors.verify(data)


def test_a_damaged_log_is_an_error_that_names_it(data: DataFolder, seen: Books, log: Path) -> None:
    log.write_text("{}\n")
    with pytest.raises(LedgerBroken, match=r"anchors\.jsonl is damaged"):
        anchors.verify(data)


# --- signatures ---------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "key"
    path.write_bytes(KEY)
    monkeypatch.setenv(anchors.KEY_FILE_VARIABLE, str(path))
    return path


def post(books: Books, period: str, key: bytes | None) -> Posting:
    from dagster_project.ledger.postings import append_posting

    return append_posting(
        books.folder, books.connection, period, CLOSED_AT[period], "ada", None, "state", key
    )


def test_signatures_are_checked_with_the_key(data: DataFolder, key_file: Path) -> None:
    books = Books(data.ledger)
    post(books, "2025-01", None)
    post(books, "2025-02", anchors.read_key(data))
    post(books, "2025-03", anchors.read_key(data))
    assert anchors.verify(data).signed_count == 2
    assert len(load_postings(data.ledger, books.connection)) == 3


def test_a_posting_forged_without_the_key_is_found(data: DataFolder, key_file: Path) -> None:
    books = Books(data.ledger)
    post(books, "2025-01", anchors.read_key(data))
    post(books, "2025-02", b"x" * 32)
    with pytest.raises(LedgerBroken, match=r"posting 2 \(2025-02\) is not signed with the key"):
        anchors.verify(data)


def test_after_a_signed_posting_an_unsigned_one_is_found(data: DataFolder, key_file: Path) -> None:
    books = Books(data.ledger)
    post(books, "2025-01", anchors.read_key(data))
    post(books, "2025-02", None)
    with pytest.raises(LedgerBroken, match="posting 2"):
        anchors.verify(data)


@pytest.mark.parametrize(
    ("place", "content", "message"),
    [
        ("data/key", KEY, "in the data folder"),
        ("key", b"short", "fewer than 32 bytes"),
        ("missing", None, "cannot be read"),
    ],
)
def test_an_unusable_key_is_refused(
    data: DataFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    content: bytes | None,
    message: str,
) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(anchors.KEY_FILE_VARIABLE, str(path))
    with pytest.raises((LedgerBroken, BadSetting), match=message):
        anchors.read_key(data)


def test_the_signature_covers_every_field_but_itself(data: DataFolder, key_file: Path) -> None:
    books = Books(data.ledger)
    posting = post(books, "2025-01", anchors.read_key(data))
    signed = json.loads(posting.signed_text())
    written = json.loads(books.lines()[0])
    assert set(written) - set(signed) == {"signature", "entry_hash"}


# --- apportion ledger verify ----------------------------------------------------------------------


def test_the_command_states_what_the_ledger_was_compared_with(
    data: DataFolder,
    seen: Books,
    log: Path,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The command line sets this variable; monkeypatch restores it.
    monkeypatch.setenv("APPORTION_DATA", str(data.root))
    data.landing.mkdir()
    post(seen, "2025-03", anchors.read_key(data))
    anchors.remember(data, seen.read())
    command = ["ledger", "verify", "--data", str(data.root)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    for posting in seen.read():
        assert Head.of(posting).receipt() in shown
    for path in (*anchors.anchor_files(data), log):
        assert f"Head          as recorded in {path}" in shown
    assert "Signatures    1 checked" in shown

    for path in (*anchors.anchor_files(data), log):
        path.unlink()
    monkeypatch.delenv(anchors.ANCHOR_FILE_VARIABLE)
    monkeypatch.delenv(anchors.KEY_FILE_VARIABLE)
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert f"none outside: {anchors.ANCHOR_FILE_VARIABLE} is not set" in shown
    assert "not recorded anywhere" in shown and "none checked" in shown

    lose_the_folder(seen)
    anchors.anchor_files(data)[0].write_text(
        '{"billing_period": "2025-03", "entry_hash": "ab", "posting_number": 3}'
    )
    assert main(command) == 1
    assert "Restore" in capsys.readouterr().err
