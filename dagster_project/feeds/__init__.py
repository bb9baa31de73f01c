"""Formats of each feed, and parsing of files into rows. Does not import Dagster."""
