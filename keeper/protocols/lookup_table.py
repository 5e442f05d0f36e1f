"""Address lookup tables: what a table holds, which of its addresses may be used, and its life cycle.

Layout and rules: shared facts, protocol.md 6.1 and execution.md 1.8 (56-byte header, up to 256 addresses, new addresses
usable in slots after the extension, closable once deactivated for 512 slots).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders import system_program as native
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import ADDRESS_LOOKUP_TABLE
from keeper.protocols.layout import PUBKEY_LENGTH, Reader, require_owner
from keeper.units import Slot

HEADER_LENGTH = 56
MAX_ADDRESSES = 256
ADDRESSES_PER_EXTEND = 20
NEVER = 2**64 - 1
TYPE_LOOKUP_TABLE = 1


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table. ``deactivation_slot`` is None while it is active; ``authority`` is None for a frozen one."""

    addresses: tuple[Pubkey, ...]
    last_extended_slot: Slot
    deactivation_slot: Slot | None
    authority: Pubkey | None
    last_extended_start_index: int = 0

    def usable(self, slot: Slot) -> tuple[Pubkey, ...]:
        """Addresses that a transaction executed in ``slot`` may use: none of a deactivated table (it works a little
        longer, which nobody should rely on), and in the slot of an extension only those from before it."""
        if self.deactivation_slot is not None:
            return ()
        if slot > self.last_extended_slot:
            return self.addresses
        return self.addresses[: self.last_extended_start_index]


def decode_lookup_table(data: bytes, *, owner: Pubkey | None = None) -> LookupTable:
    """Decode a table account; its owner is checked when given. Raises ``LayoutError``."""
    require_owner("lookup table", owner, (ADDRESS_LOOKUP_TABLE,))
    read = Reader(data, "lookup table")
    kind = read.u32("type")
    if kind != TYPE_LOOKUP_TABLE:
        raise read.fail("type", "1 (lookup table)", str(kind))
    deactivation = read.u64("deactivation_slot")
    extended, start = Slot(read.u64("last_extended_slot")), read.u8("last_extended_slot_start_index")
    authority = read.option("authority", read.pubkey)
    read.raw(HEADER_LENGTH - read.position, "header padding")
    count, odd = divmod(read.remaining, PUBKEY_LENGTH)
    if odd or count > MAX_ADDRESSES:
        raise read.fail("addresses", f"up to {MAX_ADDRESSES} addresses of 32 bytes", f"{read.remaining} bytes")
    addresses = read.array("addresses", count, read.pubkey)
    return LookupTable(addresses, extended, None if deactivation == NEVER else Slot(deactivation), authority, start)


def create(authority: Pubkey, payer: Pubkey, recent_slot: Slot) -> tuple[Instruction, Pubkey]:
    """Instruction that creates an empty table, and its address. ``recent_slot`` must be among the last 512."""
    return native.create_lookup_table(
        {"authority_address": authority, "payer_address": payer, "recent_slot": recent_slot.value}
    )


def extend(table: Pubkey, authority: Pubkey, payer: Pubkey, addresses: Sequence[Pubkey]) -> Instruction:
    """Append ``addresses``. Raises ``ValueError`` for none or more than 20, about what one transaction carries."""
    if not 0 < len(addresses) <= ADDRESSES_PER_EXTEND:
        raise ValueError(f"one extension takes 1 to {ADDRESSES_PER_EXTEND} addresses, got {len(addresses)}")
    return native.extend_lookup_table(
        {
            "payer_address": payer,
            "lookup_table_address": table,
            "authority_address": authority,
            "new_addresses": list(addresses),
        }
    )


def deactivate(table: Pubkey, authority: Pubkey) -> Instruction:
    """Take the table out of use; it can be closed after about 512 slots."""
    return native.deactivate_lookup_table({"lookup_table_address": table, "authority_address": authority})


def close(table: Pubkey, authority: Pubkey, recipient: Pubkey) -> Instruction:
    """Close a table whose deactivation has left the slot hashes; its rent goes to ``recipient``."""
    return native.close_lookup_table(
        {"lookup_table_address": table, "authority_address": authority, "recipient_address": recipient}
    )
