"""The assets. Each is thin: it selects the work, calls a package and returns row counts."""
