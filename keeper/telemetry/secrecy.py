"""Taking secrets out of text before it is written anywhere.

Three nets, because each has holes: values that are known to be secret, keys whose name says so, and shapes that only secrets
have (an API key inside a URL, a keypair as a JSON array). A base58 secret key has the shape of a signature, which logs need;
only the first two nets catch it, so whoever reads one registers it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(
    r"secret|password|passphrase|private|keypair|mnemonic|seed_?phrase|api[-_]?key|x[-_]api[-_]key|authorization|bearer"
    r"|access[-_]?token|auth[-_]?token|raw_?key",
    re.IGNORECASE,
)
_QUERY_KEY = re.compile(r"(?i)([?&](?:api[-_]?key|key|token|access[-_]?token|auth|secret|password)=)[^&\s\"'#]+")
_USER_INFO = re.compile(r"(?i)\b((?:https?|wss?|postgres(?:ql)?(?:\+\w+)?)://)[^/\s\"'@]+@")
_PATH_KEY = re.compile(r"(?i)(\b(?:https?|wss?)://[^\s\"'?#]*?/)[A-Za-z0-9_-]{24,}(?=[/?#\s\"']|$)")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/-]{8,}=*")
_KEYPAIR_ARRAY = re.compile(r"\[\s*(?:\d{1,3}\s*,\s*){31,63}\d{1,3}\s*\]")
_PLACES = ("_file", "_path", "_problem")  # where a secret lies is what an operator needs to know
SHORTEST_SECRET = 6  # a shorter one would blank out ordinary words


class Redactor:
    """Removes secrets from log events, at any depth. ``secrets`` are exact values, such as an API key read from its file."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({value for value in secrets if len(value) >= SHORTEST_SECRET}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """``text`` with every secret in it replaced."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        if "://" in text:
            text = _USER_INFO.sub(rf"\1{REDACTED}@", text)
            text = _QUERY_KEY.sub(rf"\1{REDACTED}", text)
            text = _PATH_KEY.sub(rf"\1{REDACTED}", text)
        text = _BEARER.sub(rf"\1{REDACTED}", text)
        return _KEYPAIR_ARRAY.sub(REDACTED, text)

    def value(self, value: Any) -> Any:
        """``value`` with every secret in it replaced; containers are copied, other objects become text only if they leak."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {key: self._named(key, item) for key, item in value.items()}
            case list() | tuple():
                clean = [self.value(item) for item in value]
                return REDACTED if _KEYPAIR_ARRAY.fullmatch(str(clean)) else clean
            case bytes() | bytearray():
                return f"<{len(value)} bytes>"
            case None | bool() | int() | float():
                return value
        text = str(value)
        clean_text = self.text(text)
        return value if clean_text == text else clean_text

    def _named(self, name: object, item: Any) -> Any:
        named = isinstance(name, str) and _SECRET_NAME.search(name) and not name.endswith(_PLACES)
        return REDACTED if named else self.value(item)

    def event(self, event: dict[str, Any]) -> dict[str, Any]:
        """A log event with every secret in it replaced."""
        return {key: self._named(key, item) for key, item in event.items()}
