"""Settings of one data folder: `apportion.toml`, checked.

Belongs here: the settings a person may declare for a folder, a feed or a file pattern, and their
errors. Does not: applying them (conventions.py converts values, readers.py decodes text, wording.py
writes figures).
"""

import codecs
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dagster_project import wording
from dagster_project.errors import DeclarationInvalid, did_you_mean
from dagster_project.settings import FEEDS
from dagster_project.settings_file import Settings, message_of, read_settings

DateOrder = Literal["DMY", "MDY", "YMD"]


class Declaration(Settings):
    """Declarations about files: settings that the files themselves leave open.

    Every setting is optional. A setting of a file pattern overrides that of its feed, which
    overrides that of the folder.
    """

    format: str | None = None
    """Name of the format to read the file as, where its header alone does not decide."""
    date_order: DateOrder | None = None
    """Order of numeric dates such as 01/02/2026. ISO dates are always read as ISO."""
    decimals: Literal["point", "comma"] | None = None
    """Decimal separator of numbers."""
    thousands: Literal["none", "comma", "point", "space", "apostrophe"] | None = None
    """Thousands separator of numbers."""
    encoding: str | None = None
    """Character encoding of text files, a name that Python supports, e.g. cp1252 or shift_jis."""
    delimiter: str | None = Field(default=None, min_length=1)
    """Column separator of text files: one character, or `tab`."""
    sheet: str | None = None
    """Worksheet to read; without it the first sheet with rows."""
    header_row: int | None = Field(default=None, ge=1)
    """Row of the header, counted from 1; everything above it is ignored."""
    skip_rows: tuple[str, ...] = ()
    """Beginnings of rows that are not data, e.g. TOTAL: matched with the first filled cell."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Column of the file to column of the format, e.g. {"Invoice No" = "Invoice Number"}."""
    values: dict[str, str] = Field(default_factory=dict)
    """Column of the format to the value that every row has, e.g. {"Currency" = "EUR"}."""
    time_zone: str | None = None
    """IANA zone of instants without an offset. A date without a time of day stays that date."""
    subscription_id: str | None = None
    """Column that holds the subscription by which the splits are kept, e.g. EntitlementId."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                codecs.lookup(name)
            except LookupError as error:
                raise ValueError(f"unknown encoding {name!r}; e.g. cp1252") from error
        return name

    @field_validator("delimiter", mode="before")
    @classmethod
    def _one_character(cls, delimiter: Any) -> Any:
        if delimiter == "tab":
            return "\t"
        if isinstance(delimiter, str) and len(delimiter) != 1:
            raise ValueError("write one character, or tab")
        return delimiter

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"unknown time zone {name!r}; e.g. Europe/Berlin") from error
        return name

    @model_validator(mode="after")
    def _separators_differ(self) -> Self:
        if self.decimals is not None and self.decimals == self.thousands:
            raise ValueError(f"decimals and thousands are both {self.decimals}")
        return self

    def over(self, wider: "Declaration") -> "Declaration":
        """These settings, completed by those of a wider scope."""
        return Declaration(**(wider.stated() | self.stated()))

    def stated(self) -> dict[str, Any]:
        """The settings that were written down."""
        return self.model_dump(include=self.model_fields_set)


NOTHING_DECLARED = Declaration()


class FilePattern(Declaration):
    """Settings for the files of landing whose path matches `pattern`."""

    pattern: str
    """Path below landing; `*` matches any characters, folders included."""

    def settings(self) -> Declaration:
        """The settings without the pattern."""
        return Declaration(**{key: each for key, each in self.stated().items() if key != "pattern"})


class FiscalYear(BaseModel):
    """The year that budgets are compared over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_month: int = Field(default=1, ge=1, le=12)


class Reports(BaseModel):
    """Bills without invoice numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    equal_lines: Literal["once", "each"] | None = None
    """Whether equal lines of two reports are one line, or purchases of which each counts."""


class Display(BaseModel):
    """How figures are written for people."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    locale: str | None = None
    """Language and country whose numbers and dates are written, e.g. de-DE; words stay English."""

    @field_validator("locale")
    @classmethod
    def _known_locale(cls, name: str | None) -> str | None:
        if name is not None:
            wording.locale_named(name)
        return name


class Reporting(BaseModel):
    """One currency that charged amounts of all currencies are converted to, beside their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str | None = Field(default=None, pattern="^[A-Z]{3}$")
    """ISO 4217 code, e.g. EUR."""


class Declarations(BaseModel):
    """The settings of `apportion.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all_files: Declaration = Declaration()
    feeds: dict[str, Declaration] = Field(default_factory=dict)
    files: tuple[FilePattern, ...] = ()
    fiscal_year: FiscalYear = FiscalYear()
    reports: Reports = Reports()
    reporting: Reporting = Reporting()
    display: Display = Display()

    @field_validator("feeds")
    @classmethod
    def _known_feeds(cls, feeds: dict[str, Declaration]) -> dict[str, Declaration]:
        for feed in feeds:
            if feed not in FEEDS:
                raise ValueError(f"{feed!r} is not a feed; the feeds are {', '.join(FEEDS)}")
        return feeds

    def of_file(self, name: str) -> Declaration:
        """The settings of a file by its path below landing. Later patterns override earlier."""
        feed = PurePosixPath(name).parts[0]
        declared = self.feeds.get(feed, NOTHING_DECLARED).over(self.all_files)
        for each in self.files:
            if fnmatchcase(name, each.pattern):
                declared = each.settings().over(declared)
        return declared


NO_DECLARATIONS = Declarations()


def read_declarations(path: Path) -> Declarations:
    """The declarations of a data folder; none without a file.

    Raises DeclarationInvalid with the position, the value and the allowed values.
    """
    return read_settings(path, Declarations, DeclarationInvalid, _problem) or NO_DECLARATIONS


class _OnlyDisplay(BaseModel):
    display: Display = Display()


def read_locale(path: Path) -> str | None:
    """The locale in which figures are written, from the declarations of a data folder.

    Other settings are not checked: a fault in one keeps nobody from reading figures. Raises
    DeclarationInvalid.
    """
    read = read_settings(path, _OnlyDisplay, DeclarationInvalid, _problem)
    return read.display.locale if read else None


def _problem(error: Any) -> str:
    """One validation error as a sentence: the place, the fault and the correction."""
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        known = _known_keys(error["loc"][:-1])
        return f"unknown setting {place}" + did_you_mean(
            key, known, otherwise=f"; known are {', '.join(known)}"
        )
    message = message_of(error)
    given = error["input"]
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{place}: {message}{shown}" if place else f"{message}{shown}"


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    sections: dict[int | str, type[BaseModel]] = {
        "files": FilePattern,
        "fiscal_year": FiscalYear,
        "reports": Reports,
        "reporting": Reporting,
        "display": Display,
    }
    model = sections.get(place[0], Declaration) if place else Declarations
    return list(model.model_fields)
