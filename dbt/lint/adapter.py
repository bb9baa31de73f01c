"""Replaces dbt's adapter while sqlfluff lints: a macro renders its first argument."""

from collections.abc import Callable


def dispatch(name: str) -> Callable[..., object]:
    """Return a parsable replacement for a macro of any engine."""
    return lambda *arguments: f"coalesce({', '.join(str(each) for each in arguments[:1])})"
