"""The manifest in the provider's answer, with its secrets.

Belongs here: what a download needs besides the list of blobs, and what it must refuse. Does not:
reading the list (feeds/manifests.py).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from dagster_project.errors import BrokenManifest, UnsafePath
from dagster_project.feeds.manifests import partner_center_manifest
from dagster_project.partner_center.addresses import join_address
from dagster_project.partner_center.errors import UnsafeBlobName, UnusableManifest
from dagster_project.partner_center.secrets import printable, redact

DATA_FORMATS = {"compressedjson", "compressedjsonlines"}


@dataclass(frozen=True)
class ReceivedManifest:
    """A checked manifest. Messages must not contain `root` or `secrets`."""

    received: Mapping[str, Any] = field(repr=False)
    e_tag: str
    names: tuple[str, ...]
    root: str = field(repr=False)
    shared_access_token: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @classmethod
    def read(cls, received: Mapping[str, Any], invoice_id: str, token: str) -> "ReceivedManifest":
        """Check a manifest. Raises UnusableManifest if it is not that of a complete export."""

        def unusable(fact: str) -> UnusableManifest:
            return UnusableManifest(
                f"billing export {invoice_id}: the manifest {printable(fact, [token])}"
            )

        def unsafe(name: object) -> UnsafeBlobName:
            return UnsafeBlobName(
                f"billing export {invoice_id}: {printable(repr(name), [token])} is not a plain file"
                " name"
            )

        data_format = received.get("dataFormat")
        if data_format is not None and str(data_format).lower() not in DATA_FORMATS:
            raise unusable(f"has data format {data_format!r}; only gzip of JSON lines can be read")
        # Raised outside of the handlers: the reader's own error may show the token.
        refusal: UnusableManifest | None = None
        try:
            manifest = partner_center_manifest(received)
        except UnsafePath as error:
            refusal = unsafe(error.path)
        except BrokenManifest as error:
            refusal = unusable(str(error).removeprefix("the manifest "))
        if refusal is not None:
            raise refusal
        names = tuple(str(blob.path) for blob in manifest.blobs)
        for name in names:
            if not is_file_name(name):
                raise unsafe(name)
        if not names:
            raise unusable("lists no blobs")
        if any(token in text for text in (manifest.version, *names)):
            raise unusable("contains our token")
        # Some file systems treat names that differ in case as one file.
        if len({name.lower() for name in names}) < len(names):
            raise unusable("lists a blob twice")
        root = received.get("rootDirectory")
        if not isinstance(root, str) or not root:
            raise unusable("has no rootDirectory")
        named = re.search(r"/InvoiceId=([^/?]+)", root, re.IGNORECASE)
        if named and named[1].lower() != invoice_id.lower():
            raise unusable(f"is that of invoice {named[1]}")
        shared_access_token = received.get("sasToken") or ""
        if not isinstance(shared_access_token, str):
            raise unusable("has a sasToken that is not a text")
        shared_access_token = shared_access_token.lstrip("?")
        queries = [shared_access_token, root.partition("?")[2]]
        signatures = [
            part for query in queries for part in query.split("&") if part.startswith("sig=")
        ]
        return cls(
            received=received,
            e_tag=manifest.version,
            names=names,
            root=root,
            shared_access_token=shared_access_token,
            secrets=(token, *queries, *signatures),
        )

    def blob_address(self, api: str, name: str) -> str:
        """The address of a blob, with the shared access token."""
        root = urlsplit(join_address(api + "/", self.root))
        query = "&".join(filter(None, [root.query, self.shared_access_token]))
        path = f"{root.path.rstrip('/')}/{quote(name, safe='')}"
        return urlunsplit((root.scheme, root.netloc, path, query, ""))

    def as_landed(self) -> bytes:
        """The manifest without its secrets, as JSON."""
        without = {**self.received, "rootDirectory": self.root.partition("?")[0]}
        return (json.dumps(self._cleaned(without), indent=2) + "\n").encode()

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                redact(key, self.secrets): self._cleaned(each)
                for key, each in value.items()
                if key.lower() != "sastoken"
            }
        if isinstance(value, list):
            return [self._cleaned(each) for each in value]
        return redact(value, self.secrets) if isinstance(value, str) else value


def is_file_name(name: str) -> bool:
    """Whether it is a plain file name that landing reads, and not that of the manifest."""
    return (
        re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.,=+~@() -]{0,199}", name) is not None
        and name.lower() != "manifest.json"
    )


def file_name(text: str) -> str:
    """The text if all its characters are plain, else its plain characters and a hash."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", text):
        return text
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:60]
    return f"{plain}-{sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}".lstrip("-")
