"""Inspection of one file: what a run would read from it, without changing anything.

`reading` reads the file in a copy of the data folder, `suggesting` finds settings for
apportion.toml, `report` writes both as text, with `grouped_faults`.
"""
