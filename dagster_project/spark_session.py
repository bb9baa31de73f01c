"""Apache Spark as an engine of the dbt models: its session, checked before it computes anything.

With other settings, Spark gives other figures without an error. The packages are those of
requirements/spark.txt.
"""

from collections.abc import Callable
from typing import Any

from dagster_project.errors import UsageError

ANSI = "spark.sql.ansi.enabled"

SETTINGS = {
    "spark.sql.session.timeZone": ("UTC", "instants would move by the offset of the machine"),
    "spark.sql.timestampType": ("TIMESTAMP_NTZ", "instants would depend on the time zone"),
    ANSI: ("true", "overflows would give null, and zero would be written as 0E-18 in ids"),
    "spark.sql.decimalOperations.allowPrecisionLoss": (
        "false",
        "products and quotients of decimals would lose their last digits",
    ),
    "spark.sql.constraintPropagation.enabled": (
        "false",
        "the plan that counts licenses of the directory would grow without end",
    ),
}
"""What each setting has to be, and what happens otherwise."""


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
