"""The read-only HTTP service over the published marts.

Belongs here: tokens, pages of published rows, their formats, limits. Does not: calculations; every
row is a row of a mart.
"""
