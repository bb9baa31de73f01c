"""The errors that refuse a command or a landed file, one type per reason.

A refused file is listed in `quarantined_rows` with the message of its error, and the run continues
with the other files. Any other ApportionError ends the command.
"""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of a message on an unknown name: the most similar known one, else `otherwise`."""
    by_key = {each.lower(): each for each in sorted(known)}
    near = difflib.get_close_matches(name.lower(), sorted(by_key), n=1)
    return f"; did you mean {by_key[near[0]]!r}?" if near else otherwise


class ApportionError(Exception):
    """Ends a command with a message for the person who started it."""

    exit_code = 1
    """The exit code of the command: something blocks it."""


class UsageError(ApportionError):
    """The command as typed, or a setting, is wrong: nothing was changed."""

    exit_code = 2


class BadSetting(UsageError):
    """An environment variable has a value that cannot be used."""


class NoLandingFolder(UsageError):
    """The data folder has no `landing/` to read."""


class DeclarationInvalid(ApportionError):
    """apportion.toml has a setting that is unknown or that has an impossible value."""


class WarehouseBusy(ApportionError):
    """Another run has held the data folder's lock for longer than the longest wait."""


class LedgerBroken(ApportionError):
    """The ledger differs from what was written: a posting was edited, removed or added."""


class ClosingRefused(ApportionError):
    """A period cannot be closed in its current state; the message lists the obstacles."""


class NotAPeriodToClose(ClosingRefused, UsageError):
    """No reason can close this period: not a month, no lines, closed already, or not the oldest."""


class NotOneState(ApportionError):
    """Landing, the warehouse and the published tables differ in state."""


class RefusedFile(ApportionError):
    """A landed file that cannot be used; the message states the reason for its user."""

    MESSAGE_LIMIT = 2_000
    """Characters of a message; names and values from the file would make it as long as the file."""

    def __init__(self, message: object = "") -> None:
        """The reason, cut where it is longer than the limit."""
        text = str(message)
        super().__init__(
            text if len(text) <= self.MESSAGE_LIMIT else f"{text[: self.MESSAGE_LIMIT]} ..."
        )


class NotAPlainFile(RefusedFile):
    """A symbolic link, a device or the like."""


class UnknownFeed(RefusedFile):
    """The file is outside the folders of the feeds."""


class UnknownFormat(RefusedFile):
    """The header matches no known format."""


class WrongFeed(RefusedFile):
    """The header matches a format of another feed."""


class MissingColumns(RefusedFile):
    """The header lacks columns that the format needs."""


class RepeatedColumns(RefusedFile):
    """Two columns of the header have the same name."""


class WrongMapping(RefusedFile):
    """apportion.toml names a column that the file or its format does not have."""


class UnreadableLicenses(RefusedFile):
    """A list of users whose license column names no license."""


class EmptyFile(RefusedFile):
    """The file is empty or has no header."""


class BrokenArchive(RefusedFile):
    """A gzip file or a workbook that is truncated or damaged; a partial file is never loaded."""


class BrokenManifest(RefusedFile):
    """A billing export's manifest that is damaged, or contradicts itself."""


class UnsafePath(BrokenManifest):
    """A manifest names a blob by a path outside of its folder, or without a path."""

    def __init__(self, message: str, path: object) -> None:
        """An error about `path`, as the manifest names it."""
        super().__init__(message)
        self.path = path


class IncompleteExport(RefusedFile):
    """A billing export that differs from its manifest; none of it is loaded."""


class TooLarge(RefusedFile):
    """Over the limit for a file, packed or unpacked."""


class TooManyBadRows(RefusedFile):
    """More rows than anybody looks at do not fit the file's own header."""


class UnreadableText(RefusedFile):
    """Text in an unsupported encoding, or content that is neither CSV nor JSON."""


class ReaderEnded(RefusedFile):
    """The process that reads foreign files ended on this one, as a damaged file can cause."""


class ChangedWhileRead(RefusedFile):
    """The file is still being written; the next run reads it again."""
