"""Landing files to raw tables, once per content. Does not import Dagster."""
