"""Instructions of the margin program that an owner sends, and the airspace permit before them.

Discriminators, arguments and account orders: shared facts, protocol.md 3.7. Each builder returns one instruction; accounts that
the program derives are derived here, so they cannot disagree. Invokes of other programs are in ``invoke``.
"""

from __future__ import annotations

from collections.abc import Sequence

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols import metas
from keeper.protocols.addresses import (
    ADDRESS_LOOKUP_TABLE,
    ASSOCIATED_TOKEN,
    GLOW_AIRSPACE,
    GLOW_MARGIN,
    LOOKUP_TABLE_REGISTRY,
    RENT_SYSVAR,
    SPL_TOKEN,
    SYSTEM,
)
from keeper.protocols.anchor import instruction_discriminator
from keeper.protocols.glow_margin.pda import (
    airspace_permit_address,
    airspace_permit_issuer_address,
    lookup_registry_address,
    position_token_address,
    token_config_address,
)
from keeper.protocols.lookup_table import ADDRESSES_PER_EXTEND
from keeper.protocols.lookup_table import create as native_create_table
from keeper.protocols.token import associated_token_address
from keeper.units import Slot, TokenAmount, UnitError
from keeper.units.quantity import U64_MAX

AIRSPACE_PERMIT_CREATE = instruction_discriminator("airspace_permit_create")
CREATE_ACCOUNT = instruction_discriminator("create_account")
CLOSE_ACCOUNT = instruction_discriminator("close_account")
REGISTER_POSITION = instruction_discriminator("register_position")
CREATE_DEPOSIT_POSITION = instruction_discriminator("create_deposit_position")
CLOSE_POSITION = instruction_discriminator("close_position")
UPDATE_POSITION_BALANCE = instruction_discriminator("update_position_balance")
REFRESH_DEPOSIT_POSITION = instruction_discriminator("refresh_deposit_position")
REFRESH_POSITION_CONFIG = instruction_discriminator("refresh_position_config")
TRANSFER_DEPOSIT = instruction_discriminator("transfer_deposit")
VERIFY_HEALTHY = instruction_discriminator("verify_healthy")
VERIFY_UNHEALTHY = instruction_discriminator("verify_unhealthy")
LIQUIDATE_END = instruction_discriminator("liquidate_end")
INIT_LOOKUP_REGISTRY = instruction_discriminator("init_lookup_registry")
CREATE_LOOKUP_TABLE = instruction_discriminator("create_lookup_table")
APPEND_TO_LOOKUP = instruction_discriminator("append_to_lookup")
TABLE_DISCRIMINATOR = 10
"""What Glow's client marks an active table with."""


def airspace_permit_create(
    *, payer: Pubkey, authority: Pubkey, airspace: Pubkey, owner: Pubkey, program: Pubkey = GLOW_AIRSPACE
) -> Instruction:
    """Give ``owner`` a permit; in an open airspace anyone may be the ``authority``. Fails where the permit exists."""
    accounts = [
        metas.pay(payer),
        metas.sign(authority),
        metas.read(airspace),
        metas.write(airspace_permit_address(airspace, owner, program=program)),
        metas.read(airspace_permit_issuer_address(airspace, authority, program=program)),
        metas.read(SYSTEM),
    ]
    return Instruction(program, AIRSPACE_PERMIT_CREATE + bytes(owner), accounts)


def create_account(
    *,
    owner: Pubkey,
    payer: Pubkey,
    airspace: Pubkey,
    margin_account: Pubkey,
    seed: int,
    features: int = 0,
    airspace_program: Pubkey = GLOW_AIRSPACE,
    program: Pubkey = GLOW_MARGIN,
) -> Instruction:
    """Open the margin account; needs the owner's airspace permit. ``features`` is an ``AccountFeature`` set, 0 for all tokens."""
    accounts = [
        metas.sign(owner),
        metas.read(airspace_permit_address(airspace, owner, program=airspace_program)),
        metas.pay(payer),
        metas.write(margin_account),
        metas.read(SYSTEM),
    ]
    data = CREATE_ACCOUNT + seed.to_bytes(2, "little") + features.to_bytes(2, "little")
    return Instruction(program, data, accounts)


def close_account(
    *, owner: Pubkey, receiver: Pubkey, margin_account: Pubkey, program: Pubkey = GLOW_MARGIN
) -> Instruction:
    """Close an account without positions and constraints; its rent goes to ``receiver``."""
    return Instruction(program, CLOSE_ACCOUNT, [metas.sign(owner), metas.write(receiver), metas.write(margin_account)])


def register_position(
    *,
    authority: Pubkey,
    payer: Pubkey,
    margin_account: Pubkey,
    airspace: Pubkey,
    mint: Pubkey,
    token_program: Pubkey,
    program: Pubkey = GLOW_MARGIN,
) -> Instruction:
    """Open a position in a pool's deposit note (collateral that an adapter administers), and its token account."""
    accounts = [
        metas.sign(authority),
        metas.pay(payer),
        metas.write(margin_account),
        metas.read(mint),
        metas.read(token_config_address(airspace, mint, program=program)),
        metas.write(position_token_address(margin_account, mint, program=program)),
        metas.read(token_program),
        metas.read(RENT_SYSVAR),
        metas.read(SYSTEM),
    ]
    return Instruction(program, REGISTER_POSITION, accounts)


def create_deposit_position(
    *,
    authority: Pubkey,
    payer: Pubkey,
    margin_account: Pubkey,
    airspace: Pubkey,
    mint: Pubkey,
    token_program: Pubkey = SPL_TOKEN,
    program: Pubkey = GLOW_MARGIN,
) -> Instruction:
    """Make the margin account's associated account for ``mint``, which must exist, a collateral position."""
    accounts = [
        metas.sign(authority),
        metas.pay(payer),
        metas.write(margin_account),
        metas.read(mint),
        metas.read(token_config_address(airspace, mint, program=program)),
        metas.read(associated_token_address(margin_account, mint, token_program)),
        metas.read(ASSOCIATED_TOKEN),
        metas.read(token_program),
        metas.read(RENT_SYSVAR),
        metas.read(SYSTEM),
    ]
    return Instruction(program, CREATE_DEPOSIT_POSITION, accounts)


def close_position(
    *,
    authority: Pubkey,
    receiver: Pubkey,
    margin_account: Pubkey,
    mint: Pubkey,
    token_account: Pubkey,
    token_program: Pubkey,
    program: Pubkey = GLOW_MARGIN,
) -> Instruction:
    """Close a position without balance that no adapter requires."""
    accounts = [
        metas.sign(authority),
        metas.write(receiver),
        metas.write(margin_account),
        metas.read(mint),
        metas.write(token_account),
        metas.read(token_program),
    ]
    return Instruction(program, CLOSE_POSITION, accounts)


def update_position_balance(
    *, margin_account: Pubkey, token_account: Pubkey, program: Pubkey = GLOW_MARGIN
) -> Instruction:
    """Take the position's balance from its token account, as of now. Anyone may send it."""
    return Instruction(program, UPDATE_POSITION_BALANCE, [metas.write(margin_account), metas.read(token_account)])


def refresh_deposit_position(
    *,
    margin_account: Pubkey,
    config: Pubkey,
    price: Pubkey,
    quote: Pubkey | None = None,
    token_account: Pubkey | None = None,
    program: Pubkey = GLOW_MARGIN,
) -> Instruction:
    """Refresh the price of a raw position and, given its ``token_account``, the balance too. Anyone may send it.

    ``price`` is the rate feed's account for a redemption oracle, which needs ``quote``. Reverts where a feed is older than 60 s.
    """
    # Anchor reads the called program's own id as "no such account" in an optional place.
    accounts = [
        metas.write(margin_account),
        metas.read(config),
        metas.read(price),
        metas.read(program if quote is None else quote),
    ]
    if token_account is not None:
        accounts.append(metas.read(token_account))
    return Instruction(program, REFRESH_DEPOSIT_POSITION, accounts)


def refresh_position_config(
    *, margin_account: Pubkey, config: Pubkey, permit: Pubkey, refresher: Pubkey, program: Pubkey = GLOW_MARGIN
) -> Instruction:
    """Copy weight, staleness and features of a TokenConfig into the position; the refresher needs that permission."""
    accounts = [metas.write(margin_account), metas.read(config), metas.read(permit), metas.sign(refresher)]
    return Instruction(program, REFRESH_POSITION_CONFIG, accounts)


def transfer_deposit(
    *,
    owner: Pubkey,
    margin_account: Pubkey,
    source_owner: Pubkey,
    source: Pubkey,
    destination: Pubkey,
    amount: TokenAmount,
    token_program: Pubkey = SPL_TOKEN,
    program: Pubkey = GLOW_MARGIN,
) -> Instruction:
    """Move ``amount`` into or out of a registered raw position. No health check is part of it: send ``verify_healthy`` behind it.

    ``source_owner`` is the margin account on the way out (the program signs for it); on the way in it must sign the
    transaction, which its account meta here does not ask for, so it is to be the owner or another signer.
    """
    accounts = [
        metas.sign(owner),
        metas.write(margin_account),
        metas.read(source_owner),
        metas.write(source),
        metas.write(destination),
        metas.read(Pubkey.from_string(amount.mint.address)),
        metas.read(token_program),
    ]
    return Instruction(program, TRANSFER_DEPOSIT + amount.as_u64().to_bytes(8, "little"), accounts)


def verify_healthy(margin_account: Pubkey, *, program: Pubkey = GLOW_MARGIN) -> Instruction:
    """Fail the transaction where the account is not healthy now. Stale collateral counts nothing, a stale claim fails."""
    return Instruction(program, VERIFY_HEALTHY, [metas.read(margin_account)])


def verify_unhealthy(margin_account: Pubkey, *, program: Pubkey = GLOW_MARGIN) -> Instruction:
    """Fail the transaction where the account is healthy, or holds a stale collateral."""
    return Instruction(program, VERIFY_UNHEALTHY, [metas.read(margin_account)])


def liquidate_end(
    *, authority: Pubkey, margin_account: Pubkey, liquidation: Pubkey, program: Pubkey = GLOW_MARGIN
) -> Instruction:
    """End a liquidation: its liquidator at any time, anyone once it has taken longer than 60 s."""
    return Instruction(
        program, LIQUIDATE_END, [metas.pay(authority), metas.write(margin_account), metas.write(liquidation)]
    )


def init_lookup_registry(
    *,
    authority: Pubkey,
    payer: Pubkey,
    margin_account: Pubkey,
    registry_program: Pubkey = LOOKUP_TABLE_REGISTRY,
    program: Pubkey = GLOW_MARGIN,
) -> Instruction:
    """Open the margin account's registry of lookup tables."""
    registry = lookup_registry_address(margin_account, program=registry_program)
    accounts = [metas.sign(authority), metas.pay(payer), metas.read(margin_account), metas.write(registry)]
    return Instruction(program, INIT_LOOKUP_REGISTRY, [*accounts, metas.read(registry_program), metas.read(SYSTEM)])


def _table_accounts(
    authority: Pubkey, payer: Pubkey, margin_account: Pubkey, table: Pubkey, registry_program: Pubkey
) -> list[AccountMeta]:
    return [
        metas.sign(authority),
        metas.pay(payer),
        metas.read(margin_account),
        metas.write(lookup_registry_address(margin_account, program=registry_program)),
        metas.write(table),
        metas.read(ADDRESS_LOOKUP_TABLE),
        metas.read(registry_program),
        metas.read(SYSTEM),
    ]


def create_lookup_table(
    *,
    authority: Pubkey,
    payer: Pubkey,
    margin_account: Pubkey,
    recent_slot: Slot,
    discriminator: int = TABLE_DISCRIMINATOR,
    registry_program: Pubkey = LOOKUP_TABLE_REGISTRY,
    program: Pubkey = GLOW_MARGIN,
) -> tuple[Instruction, Pubkey]:
    """Create a lookup table owned by the margin account and listed in its registry; with its address.

    ``recent_slot`` must be among the last 512 and not before that of the registry's last table. Raises ``UnitError`` for a
    discriminator that means an empty or deactivated entry.
    """
    if not 1 < discriminator <= U64_MAX:
        raise UnitError(f"an active table's discriminator is 2 to {U64_MAX}, got {discriminator}")
    _, table = native_create_table(margin_account, payer, recent_slot)
    data = CREATE_LOOKUP_TABLE + recent_slot.value.to_bytes(8, "little") + discriminator.to_bytes(8, "little")
    return Instruction(program, data, _table_accounts(authority, payer, margin_account, table, registry_program)), table


def append_to_lookup(
    *,
    authority: Pubkey,
    payer: Pubkey,
    margin_account: Pubkey,
    table: Pubkey,
    addresses: Sequence[Pubkey],
    registry_program: Pubkey = LOOKUP_TABLE_REGISTRY,
    program: Pubkey = GLOW_MARGIN,
) -> Instruction:
    """Append ``addresses`` to a table of the registry. Raises ``UnitError`` for none, or more than the 20 of one extension."""
    if not 0 < len(addresses) <= ADDRESSES_PER_EXTEND:
        raise UnitError(f"one extension takes 1 to {ADDRESSES_PER_EXTEND} addresses, got {len(addresses)}")
    data = APPEND_TO_LOOKUP + len(addresses).to_bytes(4, "little") + b"".join(bytes(one) for one in addresses)
    return Instruction(program, data, _table_accounts(authority, payer, margin_account, table, registry_program))
