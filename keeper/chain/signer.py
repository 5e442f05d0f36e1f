"""Who signs. The secret stays in here: it is not printed, not pickled and not named in any error."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import NoReturn, Protocol

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

_MAX_FILE = 4096  # bytes; a keypair file has some 230


class SignerError(Exception):
    """A key cannot be used. The message names the file, what is wrong and what to do; never any part of the key."""


class Signer(Protocol):
    """Signs message bytes for one address; may be a file, a daemon or an HSM."""

    @property
    def pubkey(self) -> Pubkey: ...

    async def sign(self, message: bytes) -> Signature:
        """Signature over ``message``, verified. Raises ``SignerError``."""
        ...


class KeypairSigner:
    """A key in this process's memory."""

    __slots__ = ("_keypair",)

    def __init__(self, keypair: Keypair) -> None:
        self._keypair = keypair

    @property
    def pubkey(self) -> Pubkey:
        return self._keypair.pubkey()

    async def sign(self, message: bytes) -> Signature:
        signature = self._keypair.sign_message(message)
        if not signature.verify(self.pubkey, message):
            raise SignerError(f"the signature made for {self.pubkey} does not verify; do not use this machine")
        return signature

    def __repr__(self) -> str:
        return f"KeypairSigner({self.pubkey})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled: it holds a secret")


class KeypairFile:
    """Solana's keypair file: a JSON list of 64 numbers, secret seed then public key (``solana-keygen``)."""

    @staticmethod
    def load(path: str | Path, *, allow_group_read: bool = False) -> KeypairSigner:
        """Reads and checks the file. Raises ``SignerError``.

        ``allow_group_read`` admits mode 0440 and 0640: a Kubernetes secret volume under fsGroup cannot be any tighter.
        """
        file = Path(path)
        try:
            info = file.stat()
        except FileNotFoundError as error:
            raise SignerError(
                f"keypair file {file} does not exist; create it with: solana-keygen new -o {file}"
            ) from error
        except OSError as error:
            raise SignerError(f"keypair file {file} cannot be looked at ({error.strerror}); check its path") from error
        if not stat.S_ISREG(info.st_mode):
            raise SignerError(f"keypair file {file} is not a regular file; give the path of the JSON file itself")
        forbidden = 0o037 if allow_group_read else 0o077
        if info.st_mode & forbidden:
            raise SignerError(
                f"keypair file {file} is open to others (mode {stat.S_IMODE(info.st_mode):04o}); "
                f"close it with: chmod 600 {file}"
            )
        try:
            with file.open("rb") as handle:
                content = handle.read(_MAX_FILE + 1)
        except OSError as error:
            raise SignerError(
                f"keypair file {file} cannot be read ({error.strerror}); run as its owner or change the owner"
            ) from error
        return KeypairSigner(_keypair(content, file))


def _keypair(content: bytes, file: Path) -> Keypair:
    remedy = "restore it from your backup or create a new one with solana-keygen"
    try:
        numbers = json.loads(content) if len(content) <= _MAX_FILE else None
    except (ValueError, RecursionError):
        numbers = None
    # "from None" and no values in the text: what was read may be a secret in another format
    if (
        not isinstance(numbers, list)
        or len(numbers) != 64
        or any(isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= 255 for n in numbers)
    ):
        raise SignerError(f"keypair file {file} is not a JSON list of 64 numbers from 0 to 255; {remedy}")
    secret, public = bytes(numbers[:32]), bytes(numbers[32:])
    derived = Keypair.from_seed(secret)
    if bytes(derived.pubkey()) != public:
        raise SignerError(
            f"keypair file {file}: its public half is {Pubkey(public)}, but its secret half belongs to "
            f"{derived.pubkey()}; the file is damaged or edited: {remedy}"
        )
    return derived
