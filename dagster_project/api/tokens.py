"""Tokens of the API: who may read which rows.

Belongs here: the file of tokens, and its check. Does not: HTTP.

A token is shown once. The file has its SHA-256 hash, which is enough for a secret of 256 random
bits. A token with an organization reads that organization's rows without cost; a token without one
is the broker's.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dagster_project.errors import UsageError
from dagster_project.files import replaced_at_once
from dagster_project.settings import DataFolder

PREFIX = "apportion"


class UnknownToken(UsageError):
    """There is no token with this id."""


class UnreadableTokens(UsageError):
    """The file of tokens is damaged."""


@dataclass(frozen=True)
class Token:
    """A token as it is stored. `datasets` limits it to some; empty: all that it may see."""

    id: str
    label: str
    organization_id: str | None
    datasets: tuple[str, ...]
    sha256: str
    created_at: str
    expires_at: str | None

    @property
    def scope(self) -> str:
        """`broker` or `organization`."""
        return "organization" if self.organization_id else "broker"

    def may_read(self, dataset: str) -> bool:
        """Whether the token is not limited to other datasets."""
        return not self.datasets or dataset in self.datasets

    def is_valid(self, now: datetime) -> bool:
        """Whether the token has not expired."""
        return self.expires_at is None or now < datetime.fromisoformat(self.expires_at)


@dataclass(frozen=True)
class TokenFile:
    """The tokens, and the salt of the line ids that organizations see.

    The salt is kept, so that a line has the same id in every answer.
    """

    line_salt: str
    tokens: tuple[Token, ...] = ()


def path_of(data: DataFolder) -> Path:
    """The file of tokens: APPORTION_API_TOKENS, else `api_tokens.json` in the data folder."""
    named = os.environ.get("APPORTION_API_TOKENS")
    return Path(named).resolve() if named else data.root / "api_tokens.json"


def read(path: Path) -> TokenFile:
    """The tokens of a file; none if it does not exist. Raises UnreadableTokens."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        tokens = tuple(
            Token(**{**each, "datasets": tuple(each["datasets"])}) for each in content["tokens"]
        )
        return TokenFile(str(content["line_salt"]), tokens)
    except FileNotFoundError:
        return TokenFile(secrets.token_hex(16))
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableTokens(
            f"{path} is damaged: {error}. Restore it, or remove it and issue new tokens."
        ) from error


def write(path: Path, tokens: TokenFile) -> None:
    """Write the file in one step, readable by its owner only."""
    with replaced_at_once(path) as building:
        building.touch(mode=0o600)
        building.write_text(json.dumps(asdict(tokens), indent=1) + "\n", encoding="utf-8")


def issue(
    path: Path,
    label: str,
    organization_id: str | None,
    datasets: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> str:
    """Add a token; returns its text, which cannot be shown again."""
    known = read(path)
    token_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    text = f"{PREFIX}_{token_id}_{secret}"
    token = Token(
        token_id,
        label,
        organization_id,
        tuple(datasets),
        _hash(text),
        datetime.now(UTC).isoformat(timespec="seconds"),
        expires_at.isoformat(timespec="seconds") if expires_at else None,
    )
    write(path, replace(known, tokens=(*known.tokens, token)))
    return text


def revoke(path: Path, token_id: str) -> Token:
    """Remove a token. Raises UnknownToken."""
    known = read(path)
    for token in known.tokens:
        if token.id == token_id:
            left = tuple(each for each in known.tokens if each is not token)
            write(path, replace(known, tokens=left))
            return token
    raise UnknownToken(f"there is no token {token_id!r}; apportion api-token list shows them")


def find(tokens: TokenFile, text: str, now: datetime) -> Token | None:
    """The valid token with this text; None without one.

    All hashes are compared, each in constant time, so that the time reveals nothing.
    """
    wanted = _hash(text)
    found = None
    for token in tokens.tokens:
        if hmac.compare_digest(token.sha256, wanted) and token.is_valid(now):
            found = token
    return found


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
