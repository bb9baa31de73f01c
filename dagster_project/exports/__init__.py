"""Files for people and accounting systems, written from the published marts only.

One module per kind of file, with a function that takes a connection to the published tables, a
Scope and a path. `visibility` reads which marts and columns a customer may see. Does not import
Dagster.
"""
