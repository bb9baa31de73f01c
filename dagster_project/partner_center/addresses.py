"""Addresses of the provider: parsed in one way only, so that no two readings of one can differ."""

import re
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}

DEFAULT_PORTS = {"https": 443, "http": 80}


def parse_address(address: str) -> Url:
    """The parts of an address, all None where it is none.

    Only visible ASCII without a backslash passes: parsers read anything else each in their way.
    """
    try:
        return parse_url(address) if re.fullmatch(r"[!-\[\]-~]+", address) else Url()
    except LocationParseError:
        return Url()


def origin_of(address: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address; empty and 0 where it is none."""
    parts = parse_address(address)
    scheme = parts.scheme or ""
    return scheme, parts.host or "", parts.port or DEFAULT_PORTS.get(scheme, 0)


def join_address(base: str, address: str) -> str:
    """`address` as seen from `base`; nothing where it is no address."""
    try:
        return urljoin(base, address)
    except ValueError:
        return ""
