"""Parsing of addresses, in one place, so that no two parts of the client disagree on a host."""

import re
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
DEFAULT_PORTS = {"https": 443, "http": 80}


def parse_address(address: str) -> Url:
    """The parts of an address; all are None if it is not a valid address.

    Only visible ASCII characters without the backslash are valid: parsers disagree on all others.
    """
    try:
        return parse_url(address) if re.fullmatch(r"[!-\[\]-~]+", address) else Url()
    except LocationParseError:
        return Url()


def origin_of(address: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address; empty and 0 if it is not a valid address."""
    parts = parse_address(address)
    scheme = parts.scheme or ""
    return scheme, parts.host or "", parts.port or DEFAULT_PORTS.get(scheme, 0)


def join_address(base: str, address: str) -> str:
    """`address` relative to `base`; empty if it is not a valid address."""
    try:
        return urljoin(base, address)
    except ValueError:
        return ""
