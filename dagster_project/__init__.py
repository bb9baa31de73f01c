"""Apportion's pipeline: landing files to raw tables, dbt models, published marts."""
