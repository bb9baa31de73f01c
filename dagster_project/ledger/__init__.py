"""Closed periods: conditions of closing, and the append-only files. Does not import Dagster."""
