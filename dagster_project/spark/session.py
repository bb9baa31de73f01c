"""The session of Apache Spark, checked before it computes anything.

With other settings, Spark gives other figures without an error.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from dagster_project.errors import UsageError
from dagster_project.settings import DBT_FOLDER
from dagster_project.spark import python_models

ANSI = "spark.sql.ansi.enabled"


def _needed() -> dict[str, tuple[str, str]]:
    project = yaml.safe_load((DBT_FOLDER / "dbt_project.yml").read_text(encoding="utf-8"))
    settings = project["vars"]["spark_settings"]
    return {name: (each["value"], each["otherwise"]) for name, each in settings.items()}


SETTINGS = _needed()
"""What each setting has to be, and what happens otherwise. dbt checks the same list."""

CONFIGURED_BY = {"SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS"}
"""Variables of Spark that name its configuration. With one of them, master and memory are there."""

ON_THIS_MACHINE = {
    "spark.master": "local[*]",
    "spark.driver.memory": "4g",
    # The machine's name may not resolve, and nobody else is to connect.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # A small company has more tasks than rows otherwise.
    "spark.sql.shuffle.partitions": str(os.cpu_count() or 1),
}
"""Settings of a session on this machine."""


class WrongSparkSetting(UsageError):
    """Spark would compute other figures with this setting."""


def check(setting: Callable[[str], str | None]) -> None:
    """Refuse a session whose settings give other figures; `setting` looks one up."""
    for name, (needed, otherwise) in SETTINGS.items():
        found = setting(name)
        if (found or "").lower() != needed.lower():
            raise WrongSparkSetting(f"{name} is {found}, not {needed}: {otherwise}.")


def check_session(session: Any) -> None:
    """Refuse a session of Spark whose settings give other figures."""
    check(lambda name: session.conf.get(name, None))


def start(folder: Path) -> Any:
    """The session in which dbt-spark builds, checked; raises WrongSparkSetting.

    It is that of a Spark Connect server if SPARK_REMOTE is set, otherwise that of the master in
    Spark's own configuration, and without one a session on all processors of this machine. A
    setting without which figures are wrong is set here, unless Spark's configuration has it.
    `folder` is for tables.
    """
    from pyspark.sql import SparkSession

    keep_ansi_mode()
    # Otherwise a worker runs the first `python3` that it finds.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if os.environ.get("SPARK_REMOTE"):
        session = SparkSession.builder.getOrCreate()
        configured = set()
    else:
        session = _classic_session(folder)
        configured = {name for name, _ in session.sparkContext.getConf().getAll()}
    for name, (needed, _) in SETTINGS.items():
        if name not in configured:
            session.conf.set(name, needed)
    check_session(session)
    python_models.run_in(session)
    return session


def _classic_session(folder: Path) -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("apportion")
    builder = builder.config("spark.sql.warehouse.dir", str(folder / "tables"))
    if not CONFIGURED_BY & os.environ.keys():
        for name, value in ON_THIS_MACHINE.items():
            builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def keep_ansi_mode() -> None:
    """Let dbt-spark leave ANSI mode on.

    dbt-spark 1.11 switches it off in every connection, over the profile and the session, for
    projects whose SQL is older than ANSI mode. It has no setting for that.
    """
    from dbt.adapters.spark.connections import SparkCredentials

    complete = SparkCredentials.__post_init__

    def complete_in_ansi_mode(credentials: Any) -> None:
        complete(credentials)
        credentials.server_side_parameters[ANSI] = SETTINGS[ANSI][0]

    SparkCredentials.__post_init__ = complete_in_ansi_mode
