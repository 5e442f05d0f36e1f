"""Accounts and programs that the user brings along, as solana-test-validator takes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.sim.localnet.rpc.errors import RpcError
from keeper.sim.localnet.rpc.methods.extension import account_from_json


class AccountFileError(ValueError):
    """An account or program file that cannot be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class AccountFile:
    """A JSON file of ``solana account --output json``: ``{"pubkey", "account"}``, or the account object alone.

    ``address`` (--account ADDRESS FILE) wins over the file's own; None or "-" means the file's.
    """

    path: Path
    address: Pubkey | None = None

    @classmethod
    def of(cls, path: str | Path, address: str | None = None) -> AccountFile:
        """From command-line words."""
        if address in (None, "-"):
            return cls(Path(path))
        try:
            return cls(Path(path), Pubkey.from_string(address))
        except ValueError as error:
            raise AccountFileError(f"{address!r} is not a base58 address of 32 bytes") from error

    def read(self) -> tuple[Pubkey, Account]:
        """(address, account). Raises ``AccountFileError``."""
        try:
            content = json.loads(self.path.read_bytes())
        except (OSError, ValueError) as error:
            raise AccountFileError(f"account file {self.path}: {error}") from error
        if not isinstance(content, dict):
            raise AccountFileError(f'account file {self.path}: need an object with "pubkey" and "account"')
        address, values = self.address, content.get("account", content)
        if address is None:
            text = content.get("pubkey")
            if not isinstance(text, str):
                raise AccountFileError(f'account file {self.path} has no "pubkey"; give the address beside the file')
            try:
                address = Pubkey.from_string(text)
            except ValueError as error:
                raise AccountFileError(f"account file {self.path}: pubkey {text!r} is not an address") from error
        if not isinstance(values, dict):
            raise AccountFileError(f'account file {self.path}: "account" is not an object')
        try:
            return address, account_from_json(values)
        except RpcError as error:
            raise AccountFileError(f"account file {self.path}: {error.message}") from error


def read_program(address: str | Pubkey, path: str | Path) -> tuple[Pubkey, bytes]:
    """(address, ELF) of --bpf-program ADDRESS FILE, where ADDRESS may be a keypair file, as solana-test-validator takes it.

    Raises ``AccountFileError``.
    """
    key = address if isinstance(address, Pubkey) else _program_address(address)
    try:
        return key, Path(path).read_bytes()
    except OSError as error:
        raise AccountFileError(f"program file {path}: {error}") from error


def _program_address(text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError as error:
        if not Path(text).is_file():
            raise AccountFileError(
                f"program address {text!r} is not a base58 address of 32 bytes, nor a keypair file"
            ) from error
    try:
        return Keypair.from_json(Path(text).read_text(encoding="utf-8")).pubkey()
    except (OSError, ValueError) as error:
        raise AccountFileError(f"program address {text}: the file is not a keypair: {error}") from error
