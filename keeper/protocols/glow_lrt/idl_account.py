"""Where Anchor keeps a program's IDL on chain, and how it is packed.

Address: create_with_seed(find_program_address([], program), "anchor:idl", program). Data: discriminator
sha256("internal:IdlAccount")[:8], authority, u32 length, zlib-compressed JSON; the account may be larger than its content.
"""

from __future__ import annotations

import hashlib
import zlib

from solders.pubkey import Pubkey

from keeper.protocols.layout import LayoutError, Reader, require_owner

IDL_SEED = "anchor:idl"
IDL_DISCRIMINATOR = hashlib.sha256(b"internal:IdlAccount").digest()[:8]
MAX_JSON_BYTES = 16 * 1024 * 1024
"""An account holds at most 10 MiB; an IDL is some 100 KiB. This bounds what a hostile account can unpack to."""


def idl_address(program_id: Pubkey) -> Pubkey:
    """Address of the account that holds the IDL of ``program_id``."""
    base = Pubkey.find_program_address([], program_id)[0]
    return Pubkey.create_with_seed(base, IDL_SEED, program_id)


def decode_idl_account(data: bytes, *, owner: Pubkey | None = None, program_id: Pubkey | None = None) -> str:
    """The JSON text in an IDL account; with ``owner`` and ``program_id`` the owner is checked. Raises ``LayoutError``."""
    if program_id is not None:
        require_owner("IDL account", owner, (program_id,))
    read = Reader(data, "IDL account")
    read.discriminator(IDL_DISCRIMINATOR)
    read.pubkey("authority")
    packed = read.raw(read.u32("length"), "content")
    unpack = zlib.decompressobj()
    try:
        text = unpack.decompress(packed, MAX_JSON_BYTES)
    except zlib.error as error:
        raise LayoutError("IDL account", "content", "zlib data", f"{packed[:8].hex()}... ({error})") from error
    if not unpack.eof:
        raise LayoutError("IDL account", "content", f"whole zlib data of at most {MAX_JSON_BYTES} bytes", "cut short")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LayoutError("IDL account", "content", "UTF-8 text", str(error)) from error


def encode_idl_account(text: str, authority: Pubkey) -> bytes:
    """The account data that publishes ``text``; for rehearsals, where a model program has to publish its IDL."""
    packed = zlib.compress(text.encode("utf-8"))
    return IDL_DISCRIMINATOR + bytes(authority) + len(packed).to_bytes(4, "little") + packed
