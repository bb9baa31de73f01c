"""What the assets work on: the data folder, held by one run at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_project.settings import DataFolder, Limits
from dagster_project.writer import only_writer


class Warehouse(dg.ConfigurableResource):
    """The data folder of a run; its writer's lock is held from the run's start to its end."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Warehouse"]:
        """Wait for the lock, hold it while the run's steps go on."""
        log = context.log.info if context.log else print
        with only_writer(self.data, Limits.from_environment(), progress=log):
            yield self

    @property
    def data(self) -> DataFolder:
        """The folder that APPORTION_DATA names."""
        return DataFolder.from_environment()
