"""Closed periods: what may be closed, and the append-only files. Knows no Dagster."""
