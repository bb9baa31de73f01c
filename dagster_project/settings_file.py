"""Settings that a person writes into a TOML file of the data folder: reading and checking them.

Belongs here: what all such files have in common. Does not: the settings of one file
(feeds.declarations, mail.settings, app.roles).
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dagster_project.errors import ApportionError

Model = TypeVar("Model", bound=BaseModel)


class Settings(BaseModel):
    """Settings of which an unknown one is an error; spaces around texts do not count."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def message_of(error: Mapping[str, Any]) -> str:
    """The fault of a pydantic error, as the check of the setting words it."""
    return str(error["msg"]).removeprefix("Value error, ")


def place_and_message(error: Mapping[str, Any]) -> str:
    """A pydantic error as a sentence: the place and the fault."""
    return f"{'.'.join(map(str, error['loc']))}: {message_of(error)}"


def read_settings(
    path: Path,
    model: type[Model],
    invalid: type[ApportionError],
    as_sentence: Callable[[Any], str] = place_and_message,
) -> Model | None:
    """The settings in a file; None without a file. Raises `invalid` with every fault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return model.model_validate(tomllib.loads(text))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise invalid(f"{path.name} is not valid TOML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(as_sentence(each) for each in error.errors())
        raise invalid(f"{path.name}: {problems}") from error
    except OSError as error:
        raise invalid(f"{path.name} cannot be read: {error}") from error
