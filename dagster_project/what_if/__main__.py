"""The pipeline on the copy of a data folder, in a separate process that `computing` starts."""

import sys
from pathlib import Path

from dagster_project.settings import DataFolder
from dagster_project.what_if.computing import build

sys.exit(0 if build(DataFolder(Path(sys.argv[1]))) else 1)
