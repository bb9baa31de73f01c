"""The data folder as a Dagster resource, locked by one run at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_project.errors import ApportionError
from dagster_project.settings import DataFolder, Limits
from dagster_project.writer import only_writer


@contextmanager
def plain_refusals() -> Iterator[None]:
    """Turn a refusal into a failure with its sentence, which the web UI shows without a trace."""
    try:
        yield
    except ApportionError as refusal:
        raise dg.Failure(description=str(refusal), allow_retries=False) from None


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
