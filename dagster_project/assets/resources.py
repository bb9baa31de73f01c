"""The data folder as a Dagster resource, locked by one run at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_project.settings import DataFolder, Limits
from dagster_project.writer import only_writer


class Warehouse(dg.ConfigurableResource):
    """The data folder of a run. The run holds the writer lock from start to end."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Warehouse"]:
        """Wait for the lock and hold it during the steps of the run."""
        log = context.log.info if context.log else print
        with only_writer(self.data, Limits.from_environment(), progress=log):
            yield self

    @property
    def data(self) -> DataFolder:
        """The folder named by APPORTION_DATA."""
        return DataFolder.from_environment()
