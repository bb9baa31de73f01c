"""The SQL of the models means the same on DuckDB and on Apache Spark: docs/scaling.md."""

import re
from collections.abc import Iterator

import pytest

from dagster_project.settings import DBT_FOLDER
from dagster_project.spark.session import SETTINGS, WrongSparkSetting, check

DIFFERENT = {
    r"\bvarchar\b": "string is the type that both know",
    r"\bhugeint\b": "wide_integer()",
    r"//": "whole_quotient() or wide_quotient()",
    r"\bdiv\b": "cuts a wide quotient to 64 bits in Spark: wide_quotient()",
    r"\bconcat\(": "is null in Spark if one text is: concat_ws('', ...)",
    r"\b[lr]trim\([^()]*(\([^()]*\))*[^()]*,": "Spark has the arguments the other way round:"
    " trim(trailing ... from ...)",
    r"\bexclude \(": "without()",
    r"\bby name\b": "Spark unites columns by place: list them",
    r"\barg_(max|min)\(": "max_by, min_by",
    r"\bsign\(": "is a float in Spark: sign_of()",
    r"\btrunc\(": "cuts a date in Spark, a number in DuckDB",
    r"\blast_value\(": "the engines write `ignore nulls` in different places: last_known()",
    r"(?<=[^'])''''(?=[^'])": "is empty in Spark: chr(39)",
    r"[a-z]''[a-z]": "loses its apostrophe in Spark: chr(39)",
    r"\bover \w+\s+-": "Spark reads `window - number` as one name: over (window)",
    r"\bover \(\w+\s+order\b": "Spark cannot extend a named window",
}
"""Words that one engine does not know, or reads as something else, and what is written instead."""

COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
OTHER_ENGINE = re.compile(r"\{% macro (?:duckdb|spark)__.*?endmacro", re.DOTALL)


def portable(text: str) -> str:
    """The SQL that both engines read, with its line numbers: no comments, no dispatched macros."""
    for pattern in (COMMENT, OTHER_ENGINE):
        text = pattern.sub(lambda match: "\n" * match[0].count("\n"), text)
    return text


def sources() -> Iterator[tuple[str, str]]:
    for folder in ("models", "macros", "tests"):
        for path in sorted((DBT_FOLDER / folder).rglob("*.sql")):
            if path.name != "spark_adapter.sql":
                yield str(path.relative_to(DBT_FOLDER)), portable(path.read_text(encoding="utf-8"))


def different_words(text: str) -> Iterator[tuple[int, str]]:
    for pattern, instead in DIFFERENT.items():
        for match in re.finditer(pattern, text):
            yield text[: match.start()].count("\n") + 1, f"{match[0]}: {instead}"


def sort_terms(text: str, start: int) -> Iterator[str]:
    """The terms of an `order by` in parentheses, which ends with them or with a frame."""
    depth, term = 0, ""
    for token in re.finditer(r"\{\{.*?\}\}|\{%.*?%\}|'[^']*'|\w+|.", text[start:], re.DOTALL):
        word = token[0]
        if depth == 0 and (word in (")", "rows", "range") or word.startswith("{%")):
            yield term
            term = ""
            if word == ")" or word in ("rows", "range"):
                return
        elif depth == 0 and word == ",":
            yield term
            term = ""
        else:
            depth += {"(": 1, ")": -1}.get(word, 0)
            term += word
    yield term


def without_null_order(text: str) -> Iterator[tuple[int, str]]:
    for match in re.finditer(r"\border by\b", text):
        for term in sort_terms(text, match.end()):
            words = term.strip()
            # A macro that sorts has the order of nulls itself.
            if words and not re.search(r"\bnulls (first|last)$|^\{\{ _newest", words):
                yield text[: match.start()].count("\n") + 1, f"order by {words}: nulls last"


def test_no_word_means_something_else_on_the_other_engine() -> None:
    found = [
        f"{file}:{line} {what}" for file, text in sources() for line, what in different_words(text)
    ]
    assert found == []


def test_no_column_has_a_type_that_spark_needs_a_length_for() -> None:
    found = [
        f"{path.relative_to(DBT_FOLDER)}:{number}"
        for path in sorted((DBT_FOLDER / "models").rglob("*.yml"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(r"data_type:\s*varchar\b", line)
    ]
    assert found == []


def test_every_order_says_where_nulls_are() -> None:
    found = [
        f"{file}:{line} {what}"
        for file, text in sources()
        for line, what in without_null_order(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "sql",
    [
        "cast(a as varchar)",
        "a // b",
        "a div b",
        "concat(a, b)",
        "rtrim(a, '0')",
        "rtrim(trim(a), '0')",
        "* exclude (a)",
        "union all by name",
        "sum(a) over rows_of_bill - a",
        "last_value(a ignore nulls)",
        "'it''s'",
        "replace(a, '''', '')",
    ],
)
def test_such_a_word_is_found(sql: str) -> None:
    assert list(different_words(portable(f"select {sql} from bills -- concat(\n")))


@pytest.mark.parametrize(
    "sql", ["rtrim(a)", "concat_ws('', a, b)", "'division'", "replace(a, '', b)"]
)
def test_other_words_are_not(sql: str) -> None:
    assert list(different_words(f"select {sql} from bills")) == []


@pytest.mark.parametrize(
    ("window", "count"),
    [
        ("(order by a)", 1),
        (
            "(order by a nulls last, c desc rows between 1 preceding and 1 following)",
            1,
        ),
        ("(order by coalesce(a, b) desc nulls last, c nulls first)", 0),
        ("(order by {% if a %}a desc,{% endif %} b nulls last)", 1),
    ],
)
def test_an_order_without_nulls_is_found(window: str, count: int) -> None:
    assert len(list(without_null_order(f"select lag(a) over {window} from bills"))) == count


def test_a_session_with_the_settings_is_accepted() -> None:
    check({name: value for name, (value, _) in SETTINGS.items()}.get)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_wrong_setting_is_refused_by_name(name: str) -> None:
    settings = {each: value for each, (value, _) in SETTINGS.items()}
    settings[name] = {"false": "true", "true": "false"}.get(settings[name], "Europe/Berlin")
    with pytest.raises(WrongSparkSetting, match=f"{name} is {settings[name]}"):
        check(settings.get)
    del settings[name]
    with pytest.raises(WrongSparkSetting, match=f"{name} is None"):
        check(settings.get)
