"""Files for people and accounting systems, made only from published tables.

One module per kind of file. Each has a function that takes a connection to the published tables, a
Scope and a place to write to, and knows no Dagster.
"""
