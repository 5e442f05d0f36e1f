"""What programs logged in a transaction: payloads of ``sol_log_data``, each by the program that was running then.

Anchor logs its events that way. A payload proves nothing but who logged it: any program can write any bytes, so an event counts
only as its own program's. Nodes cut long logs off, so a missing event proves nothing either.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterable, Iterator

from solders.pubkey import Pubkey

_INVOKED = re.compile(r"^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) invoke \[(\d{1,3})\]$")
_ENDED = re.compile(r"^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) (?:success$|failed: )")
_DATA = "Program data: "


def program_data(logs: Iterable[str], program: Pubkey) -> Iterator[bytes]:
    """The payloads that ``program`` itself logged, in order, parts of one joined. Never raises: a line that is no base64 is
    left out, and so is everything behind a call whose depth does not follow from the lines before."""
    stack: list[str] = []
    for line in logs:
        invoked, ended = _INVOKED.match(line), _ENDED.match(line)
        if invoked is not None:
            stack.append(invoked[1])
            if int(invoked[2]) != len(stack):
                return
        elif ended is not None:
            if not stack or stack.pop() != ended[1]:
                return
        elif line.startswith(_DATA) and stack and stack[-1] == str(program):
            try:
                yield b"".join(b64decode(part, validate=True) for part in line.removeprefix(_DATA).split(" "))
            except Error:
                continue
