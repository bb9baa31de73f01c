"""Who may see what: `roles.toml` of the data folder, for people who sign in.

Belongs here: the file, and the viewers of a person. Does not: the sign-in (screen), what a viewer
sees (published).

A person without a role sees nothing. Names are compared exactly, but for the case of an e-mail
address. An address counts only if the identity provider has verified it: at some providers, people
can write any address into their profile.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from app.published import Viewer
from dagster_project.errors import ApportionError
from dagster_project.records import LONGEST_NAME, Person, one_line
from dagster_project.settings import DataFolder
from dagster_project.settings_file import Settings, read_settings


class RolesInvalid(ApportionError):
    """roles.toml is not TOML, or has a setting that cannot be used: nobody sees anything."""


class Role(Settings):
    """A role, and the people and groups that have it."""

    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    broker: bool = False
    may_edit: bool = False
    organization: str | None = Field(default=None, min_length=1)
    cost_centers: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one_scope(self) -> Self:
        if not any(self.people) and not any(self.groups):
            raise ValueError("name people or groups")
        if "" in self.people or "" in self.groups:
            raise ValueError("a name is empty")
        if self.broker == (self.organization is not None):
            raise ValueError("give either broker = true or organization")
        if self.cost_centers is not None and self.organization is None:
            raise ValueError("cost_centers need their organization")
        if self.cost_centers is not None and not all(self.cost_centers or ("",)):
            raise ValueError("cost_centers is empty")
        if self.may_edit and self.cost_centers is not None:
            raise ValueError("may_edit is for the broker and organizations, not for cost_centers")
        return self

    @property
    def viewer(self) -> Viewer:
        """The viewer that the role makes of a person."""
        return Viewer(self.organization, self.may_edit, self.cost_centers)

    @property
    def words(self) -> str:
        """The role in words."""
        if self.organization is None:
            return "Broker"
        return f"{self.organization}: {', '.join(self.cost_centers or ('all cost centers',))}"


class Roles(Settings):
    """The settings of roles.toml."""

    person_claim: str = "email"
    """Claim of the identity provider that names a person, e.g. email, oid or sub."""
    groups_claim: str = "groups"
    two_people: tuple[str, ...] = ()
    """Organizations whose splits and cost centers a second person approves; `*` is all of them."""
    roles: tuple[Role, ...] = ()

    def need_approval(self, organization_id: str) -> bool:
        """Whether a second person approves the changes of an organization."""
        return "*" in self.two_people or organization_id in self.two_people

    def person(self, claims: Mapping[str, Any]) -> Person:
        """The person with these claims, for records.

        The id is the provider's own (`sub`): a name or an address that is not verified can be
        anybody's.
        """
        subject = one_line(str(claims.get("sub") or ""), LONGEST_NAME)
        shown = self._person(claims) or claims.get("name")
        name = one_line(shown, LONGEST_NAME) if isinstance(shown, str) else ""
        return Person(name or subject, subject)

    def of(self, claims: Mapping[str, Any]) -> tuple[Role, ...]:
        """The roles of the person with these claims, in the order of the file."""
        person = self._person(claims)
        found = claims.get(self.groups_claim)
        named = found if isinstance(found, list | tuple) else ()
        groups = {each for each in named if isinstance(each, str)}
        return tuple(
            role
            for role in self.roles
            if groups & {*role.groups}
            or (person is not None and person in {self._name(each) for each in role.people})
        )

    def _person(self, claims: Mapping[str, Any]) -> str | None:
        value = claims.get(self.person_claim)
        if not isinstance(value, str) or not value:
            return None
        if self.person_claim == "email" and claims.get("email_verified") is not True:
            return None
        return self._name(value)

    def _name(self, name: str) -> str:
        return name.lower() if self.person_claim == "email" else name


def path_of(data: DataFolder) -> Path:
    """The file of roles."""
    return data.root / "roles.toml"


def read_roles(data: DataFolder) -> Roles | None:
    """The roles of a data folder; None without a file. Raises RolesInvalid."""
    return read_settings(path_of(data), Roles, RolesInvalid)
