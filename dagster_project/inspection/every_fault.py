"""Every fault of a row, where a run reports the first one.

Belongs here: the change of a staging model's statement. Does not: reading rows (reading).
"""

import re

_CHECKS = re.compile(r"/\* checks \*/ case\b(?P<checks>.*?)\bend /\* checks end \*/", re.DOTALL)
_CHECK = "/* check */"


def with_every_fault(code: str) -> str | None:
    """The SQL of a staging model, with a row for each column of a landed row that fails a check.

    A usable row is there once. None if the model does not mark its checks as the macro failed_check
    does.
    """
    if not _CHECKS.search(code):
        return None
    # A function, so that backslashes in the checks stay as they are.
    return _CHECKS.sub(lambda found: _one_row_each(found["checks"]), code)


def _one_row_each(checks: str) -> str:
    """SQL that gives a row for each failed check, of one column the first, else one with null."""
    every = ", ".join(f"case {check} end" for check in checks.split(_CHECK)[1:])
    failed = f"list_filter([{every}], lambda each: each is not null)"
    columns = f"list_transform({failed}, lambda each: each.column_name)"
    first = (
        f"list_filter({failed}, lambda each, place:"
        f" list_position({columns}, each.column_name) = place)"
    )
    return f"unnest(case when len({failed}) = 0 then [null] else {first} end)"
