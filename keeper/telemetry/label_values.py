"""Label values that cannot grow without bound and cannot carry a secret.

A label set that grows with the data kills the metrics server and the scraped process alike (client_python issue 568), and
an RPC address often has its API key in the path or the query.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

OTHER = "other"
# A code (edge_below_minimum), a class name, a host with its port, or a program error such as "stake-pool: Overflow (39)"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:() -]{0,95}")


class BoundedValues:
    """Admits the first ``limit`` distinct values of a label as they are; every later one, or a strange one, is ``other``."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"a label needs room for at least one value, got limit={limit}")
        self._limit = limit
        self._known: set[str] = set()

    def admit(self, value: str) -> str:
        """The label value to use for ``value``."""
        if value in self._known:
            return value
        if not _NAME.fullmatch(value) or len(self._known) >= self._limit:
            return OTHER
        self._known.add(value)
        return value


def endpoint_name(endpoint: str) -> str:
    """The host (and port) of a URL, without path, query and credentials, where API keys live; a plain name as it is."""
    if "://" not in endpoint:
        return endpoint
    parts = urlsplit(endpoint)
    host = parts.hostname or OTHER
    return f"{host}:{parts.port}" if parts.port else host
