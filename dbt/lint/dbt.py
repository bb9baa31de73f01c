"""Stands in for dbt's own macros while sqlfluff lints."""


def dateadd(part: str, count: object, day: object) -> str:
    """Text that parses where dbt's macro would render an engine's own function."""
    return f"date_add({day}, to_days({count}))"


def datediff(start: object, end: object, part: str) -> str:
    """Text that parses where dbt's macro would render an engine's own function."""
    return f"date_diff('{part}', {start}, {end})"


def date_trunc(part: str, day: object) -> str:
    """Text that parses where dbt's macro would render an engine's own function."""
    return f"date_trunc('{part}', {day})"
