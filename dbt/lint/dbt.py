"""Replaces dbt's own macros while sqlfluff lints."""


def dateadd(part: str, count: object, day: object) -> str:
    """Return a parsable replacement for the function that dbt renders per engine."""
    return f"date_add({day}, to_days({count}))"


def datediff(start: object, end: object, part: str) -> str:
    """Return a parsable replacement for the function that dbt renders per engine."""
    return f"date_diff('{part}', {start}, {end})"


def date_trunc(part: str, day: object) -> str:
    """Return a parsable replacement for the function that dbt renders per engine."""
    return f"date_trunc('{part}', {day})"


def last_day(day: str, part: str) -> str:
    """The last day of the month or another part of time that holds a day."""
    return f"last_day({day})"
