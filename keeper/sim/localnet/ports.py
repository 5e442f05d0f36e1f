"""Sockets for a server that needs two neighbouring ports."""

from __future__ import annotations

import socket

_TRIES = 200


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
    except BaseException:
        found.close()
        raise
    return found


def bind_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Bound sockets for ``port`` and ``port + 1``; for port 0 a free pair is found.

    Raises ``OSError`` naming the port that is taken, or after many tries without a free pair.
    """
    if port:
        first = _bound(host, port)
        try:
            return first, _bound(host, port + 1)
        except OSError as error:
            first.close()
            raise OSError(
                error.errno, f"port {port + 1} (websockets, always the RPC port + 1) is taken: {error}"
            ) from error
    for _ in range(_TRIES):
        first = _bound(host, 0)
        try:
            return first, _bound(host, first.getsockname()[1] + 1)
        except (OSError, OverflowError):
            first.close()
    raise OSError(f"no two neighbouring free ports on {host} after {_TRIES} tries")
