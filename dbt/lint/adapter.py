"""Replaces dbt's adapter while sqlfluff lints: most macros render their first argument."""

from collections.abc import Callable

OTHERS: dict[str, Callable[..., object]] = {
    "wide_integer": lambda: "hugeint",
    "without": lambda columns: f"exclude ({', '.join(columns)})",
}
"""Macros whose result is no value of a column."""


def dispatch(name: str) -> Callable[..., object]:
    """Return a parsable replacement for a macro of any engine."""
    return OTHERS.get(
        name, lambda *arguments: f"coalesce({', '.join(str(each) for each in arguments[:1])})"
    )
