"""Landing files to raw tables, once per content. Knows no Dagster."""
