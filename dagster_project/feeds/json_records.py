"""JSON to records: lines, arrays, single objects, and API responses that wrap their rows.

Belongs here: the choice of the objects that are rows. Does not: their columns.

* JSON lines: every line is an object and a row, with the number of the line. A line that is not
  JSON is rejected alone.
* Anything else is one document, or several one after the other: an array, an object over several
  lines, or the response of an API, whose rows are in `items` (Partner Center), `value` (Microsoft
  Graph), `d` (OData before version 4) or a list of another usual name. Row numbers continue over
  all documents. A truncated document is refused as a whole.

Numbers keep the text that they have in the file.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from dagster_project.errors import UnreadableText

ROWS_OF_AN_ANSWER = ("items", "value", "results", "records", "data")
NEXT_PAGE = ("nextlink", "@odata.nextlink", "odata.nextlink", "__next")
OLDER_ODATA = "d"
"""The only key of a response of OData before version 4: the rows, or an object with `results`."""


class JsonRecord(NamedTuple):
    """A row: its object, or its defect."""

    row_number: int
    content: dict[str, Any] | str
    raw_row: str


@dataclass(frozen=True)
class JsonRecords:
    """The rows of a file. `next_page` is the link to a page that the file does not hold."""

    records: Iterator[JsonRecord]
    next_page: str | None = None


def read_records(text: str) -> JsonRecords:
    """The rows of a JSON text.

    Raises UnreadableText if a document is truncated or damaged, or has two lists of rows.
    """
    if _is_lines(text):
        return JsonRecords(_read_lines(text))
    try:
        documents = list(_documents(text))
    except RecursionError as error:
        raise UnreadableText("the JSON is nested too deeply") from error
    except ValueError as error:
        raise UnreadableText(
            f"the JSON is truncated or damaged ({error}); save it again"
        ) from error
    rows: list[object] = []
    next_page = None
    for document in documents:
        pages = document if isinstance(document, list) else [document]
        if not all(_rows_of_answer(page) is not None for page in pages):
            rows += pages
            continue
        for page in pages:
            rows += _rows_of_answer(page) or []
            # An earlier page links to the page that follows it in the file.
            next_page = _next_page(page)
    records = (
        JsonRecord(at, _usable(row), json.dumps(row)) for at, row in enumerate(rows, start=1)
    )
    return JsonRecords(records, next_page)


def _is_lines(text: str) -> bool:
    """Whether the first line is a separate object, complete or damaged, and not a page of rows."""
    found = re.search(r"\S.*", text)
    first = found[0].rstrip() if found else ""
    if first.startswith("[") or first.endswith(("{", "[", ",")):
        return False
    try:
        return _rows_of_answer(_parse(first)) is None
    except (ValueError, RecursionError):
        return True


def _read_lines(text: str) -> Iterator[JsonRecord]:
    at, row_number = 0, 0
    while at <= len(text):
        behind = text.find("\n", at)
        behind = len(text) if behind < 0 else behind
        line, at = text[at:behind], behind + 1
        row_number += 1
        if not line.strip():
            continue
        try:
            record = _parse(line)
        except (ValueError, RecursionError) as error:
            yield JsonRecord(row_number, f"the line is not JSON ({error})", line)
            continue
        yield JsonRecord(row_number, _usable(record), line)


def _documents(text: str) -> Iterator[object]:
    space = re.compile(r"[\s\ufeff]*")
    at = space.match(text).end()  # type: ignore[union-attr]
    while at < len(text):
        document, behind = DECODER.raw_decode(text, at)
        yield document
        at = space.match(text, behind).end()  # type: ignore[union-attr]


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} occurs twice in one object")
    return values


DECODER = json.JSONDecoder(parse_float=str, parse_int=str, object_pairs_hook=_unique_keys)


def _parse(text: str) -> object:
    parsed: object = DECODER.decode(text)
    return parsed


def _rows_of_answer(document: object) -> list[object] | None:
    """The rows in the response of an API; None if the object is not such a response.

    A value of a row may be a list too, but not of objects under one of these names.
    """
    if not isinstance(document, dict):
        return None
    content = _without_wrapper(document)
    if isinstance(content, list):
        return content if _are_objects(content) else None
    lists = {
        key: rows
        for key, rows in content.items()
        if key.lower() in ROWS_OF_AN_ANSWER and isinstance(rows, list) and _are_objects(rows)
    }
    filled = [key for key, rows in lists.items() if rows]
    if len(filled) > 1:
        raise UnreadableText(
            f"the JSON has rows in {' and in '.join(filled)}, and does not say which list counts;"
            " save the right list alone"
        )
    if lists:
        return lists[filled[0]] if filled else []
    # An older OData service wraps a single row too.
    return None if content is document else [content]


def _without_wrapper(document: dict[str, Any]) -> Any:
    """The content of a response of an older OData service; any other object as it is."""
    keys = list(document)
    wrapped = document[keys[0]] if len(keys) == 1 else None
    is_older = len(keys) == 1 and keys[0].lower() == OLDER_ODATA
    return wrapped if is_older and isinstance(wrapped, dict | list) else document


def _are_objects(rows: list[object]) -> bool:
    return all(isinstance(row, dict) for row in rows)


def unread_rows(row: dict[str, str | None]) -> str | None:
    """The path of a list of objects in a row, such as `response.lines`; None if there is none.

    A document whose rows are under an unknown name is read as one row. Values are JSON texts.
    """
    for key, text in row.items():
        if not text or not text.startswith(("[", "{")):
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if path := _path_of_objects(value):
            return f"{key}{path}".removesuffix(".")
    return None


def _path_of_objects(value: object, depth: int = 3) -> str:
    """`.` for a filled list of objects, with the keys that lead to it; empty if there is none."""
    if isinstance(value, list):
        return "." if value and _are_objects(value) else ""
    if isinstance(value, dict) and depth:
        for key, each in value.items():
            if path := _path_of_objects(each, depth - 1):
                return f".{key}{path}"
    return ""


def _next_page(answer: object) -> str | None:
    """The link to the next page of an answer, as Partner Center and OData name it."""
    assert isinstance(answer, dict)
    content = _without_wrapper(answer)
    if isinstance(content, list):
        return None
    by_key = {str(key).lower(): value for key, value in content.items()}
    links = by_key.get("links")
    link = next((by_key[key] for key in NEXT_PAGE if by_key.get(key)), None) or (
        links.get("next") if isinstance(links, dict) else None
    )
    if isinstance(link, dict):
        link = link.get("uri") or json.dumps(link)
    return str(link) if link else None


def _usable(record: object) -> dict[str, Any] | str:
    if not isinstance(record, dict):
        return "not a JSON object"
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        return f"text that is not valid Unicode ({error.reason})"
    return record
