"""Stands in for dbt's adapter while sqlfluff lints: a macro renders its first argument."""

from collections.abc import Callable


def dispatch(name: str) -> Callable[..., object]:
    """A macro of any engine, as text that parses."""
    return lambda *arguments: f"coalesce({', '.join(str(each) for each in arguments[:1])})"
