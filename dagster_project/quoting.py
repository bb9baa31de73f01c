"""Names and values inside SQL statements that accept no parameters.

Values belong in parameters. DuckDB accepts none in `attach`, `copy ... to`, `comment on` and
`create table`, and in no statement for the name of a table or column.
"""

from pathlib import Path


def sql_literal(value: str | Path) -> str:
    """A text or path as a SQL string: it's becomes 'it''s'."""
    return "'" + str(value).replace("'", "''") + "'"


def sql_identifier(*parts: str) -> str:
    """A name as a quoted SQL identifier, qualified where several parts are given: "raw"."users"."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
