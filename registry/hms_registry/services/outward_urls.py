"""URLs of `settings.yml` that this registry calls: over TLS, or on this machine, and with no secret in them."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def may_be_called(url: str) -> bool:
    """Say whether *url* is https, or http to this machine, with a host and without user or fragment."""
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.username is None and parts.port != 0 and not parts.fragment
    except ValueError:
        return False
    return is_whole and (parts.scheme == "https" or (parts.scheme == "http" and is_here(parts.hostname or "")))


def is_here(host: str) -> bool:
    """Say whether a host is this machine, by its name or address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
