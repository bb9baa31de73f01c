"""The client of Partner Center's billing export: an invoice's lines from the provider to landing.

Does not import Dagster.
"""
