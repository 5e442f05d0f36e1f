"""The lending market and the keeper's margin account as one read of the chain showed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account, AccountSnapshot
from keeper.execution.outcome import Refusal, Stage
from keeper.protocols import pyth
from keeper.protocols.addresses import SPL_TOKEN, TOKEN_2022
from keeper.protocols.glow_margin import (
    MarginAccountState,
    TokenConfig,
    decode_margin_account,
    decode_token_config,
    position_token_address,
)
from keeper.protocols.glow_margin_pool import MarginPoolState, decode_margin_pool, loan_account_address
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingAddresses, LendingPool, PriceFeed
from keeper.protocols.token import associated_token_address
from keeper.units import UnixTime


@dataclass(frozen=True, slots=True)
class LendingSight:
    """``configs`` by the mint of the position; ``feed_problems`` by price account, why it cannot be used now (a reason code),
    empty where it can."""

    addresses: LendingAddresses
    account: MarginAccountState
    configs: Mapping[Pubkey, TokenConfig]
    pools: Mapping[Pubkey, MarginPoolState]
    feed_problems: Mapping[Pubkey, str]
    now: UnixTime

    def feed_problem(self, feed: PriceFeed) -> str:
        """Why a token cannot be priced now, empty when it can."""
        return next((self.feed_problems[key] for key in feed.accounts if self.feed_problems[key]), "")


def sight_keys(addresses: LendingAddresses) -> tuple[Pubkey, ...]:
    """The accounts that a ``LendingSight`` is made of."""
    keys = [addresses.account]
    for pool in addresses.pools:
        keys += [pool.address, pool.deposit_config, pool.loan_config, *pool.feed.accounts]
    for raw in addresses.raw:
        keys += [raw.config, *raw.feed.accounts]
    return tuple(dict.fromkeys([*keys, *held_accounts(addresses)]))


def held_accounts(addresses: LendingAddresses) -> tuple[Pubkey, ...]:
    """Every token account that a position of the margin account can have: raw tokens in its associated accounts, deposit notes at
    the margin program's address or in an associated account, loan notes at the pool program's. These are in the books."""
    account = addresses.account
    mints = {Pubkey.from_string(raw.mint.address): raw.token_program for raw in addresses.raw}
    mints |= {Pubkey.from_string(pool.mint.address): pool.token_program for pool in addresses.pools}
    keys = [associated_token_address(account, mint, program) for mint, program in mints.items()]
    for pool in addresses.pools:
        keys += [
            position_token_address(account, pool.deposit_note_mint, program=addresses.margin_program),
            associated_token_address(account, pool.deposit_note_mint, TOKEN_2022),
            loan_account(addresses, pool),
        ]
    return tuple(dict.fromkeys(keys))


def named_accounts(addresses: LendingAddresses) -> tuple[Pubkey, ...]:
    """What the messages of lending steps name beside the wallet's own accounts: what a lookup table for them holds.

    A program that is called at top level stands in the message itself all the same; an invoke names it as an account, too.
    """
    keys = [addresses.account, addresses.pool_adapter_config, addresses.pool_program, SPL_TOKEN, TOKEN_2022]
    for pool in addresses.pools:
        keys += [Pubkey.from_string(pool.mint.address), pool.address, pool.vault, pool.deposit_note_mint]
        keys += [pool.loan_note_mint, pool.fee_destination, pool.deposit_metadata, *pool.feed.accounts]
    for raw in addresses.raw:
        keys += [Pubkey.from_string(raw.mint.address), raw.config, *raw.feed.accounts]
    return tuple(dict.fromkeys([*keys, *held_accounts(addresses)]))


def tracked_accounts(addresses: LendingAddresses | None) -> frozenset[Pubkey]:
    """The token accounts of the margin account that the books cover; none without a lending market."""
    return frozenset() if addresses is None else frozenset(held_accounts(addresses))


def loan_account(addresses: LendingAddresses, pool: LendingPool) -> Pubkey:
    """Where the margin account's loan notes of ``pool`` lie."""
    return loan_account_address(addresses.account, pool.loan_note_mint, addresses.pool_program)


def passage_account(addresses: LendingAddresses, pool: LendingPool) -> Pubkey:
    """The margin account's associated account for what ``pool`` lends. Withdrawals need it, though nothing stays there."""
    return associated_token_address(addresses.account, Pubkey.from_string(pool.mint.address), pool.token_program)


def look(addresses: LendingAddresses, snapshot: AccountSnapshot, owner: Pubkey, now: UnixTime) -> LendingSight:
    """Decode what ``sight_keys`` named. Raises ``Refusal``: ``no_margin_account``, ``account_missing``, ``account_malformed``,
    ``being_liquidated``."""
    held = snapshot.accounts.get(addresses.account)
    if held is None:
        raise Refusal(
            Stage.COMPILE,
            "no_margin_account",
            f"the wallet {owner} has no margin account at {addresses.account}: run 'keeper setup'",
            account=str(addresses.account),
        )
    try:
        account = decode_margin_account(held.data, owner=held.owner)
        configs = {
            config.mint: config
            for key in _config_keys(addresses)
            if (config := _config(snapshot.accounts.get(key))) is not None
        }
        pools = {
            pool.address: decode_margin_pool(found.data, owner=found.owner, program=addresses.pool_program)
            for pool in addresses.pools
            if (found := snapshot.accounts.get(pool.address)) is not None
        }
    except LayoutError as error:
        raise Refusal(Stage.COMPILE, "account_malformed", str(error)) from error
    if account.owner != owner or account.airspace != addresses.airspace:
        raise Refusal(
            Stage.COMPILE,
            "account_malformed",
            f"the margin account {addresses.account} belongs to {account.owner} in airspace {account.airspace}",
        )
    if account.liquidator is not None:
        raise Refusal(
            Stage.COMPILE,
            "being_liquidated",
            f"{account.liquidator} is liquidating the margin account: until that ends, the program refuses its owner",
            liquidator=str(account.liquidator),
        )
    problems = {
        key: _feed_problem(addresses, snapshot.accounts.get(key), feed, now) for key, feed in _feeds(addresses).items()
    }
    return LendingSight(addresses, account, configs, pools, problems, now)


def _config_keys(addresses: LendingAddresses) -> tuple[Pubkey, ...]:
    notes = [key for pool in addresses.pools for key in (pool.deposit_config, pool.loan_config)]
    return (*notes, *(raw.config for raw in addresses.raw))


def _config(account: Account | None) -> TokenConfig | None:
    """None for a configuration that does not exist: a deposit note that no position can be opened in."""
    return None if account is None else decode_token_config(account.data, owner=account.owner)


def _feeds(addresses: LendingAddresses) -> dict[Pubkey, bytes]:
    """Price accounts, with the feed that each must carry."""
    found: dict[Pubkey, bytes] = {}
    for feed in (*(pool.feed for pool in addresses.pools), *(raw.feed for raw in addresses.raw)):
        found[feed.price] = feed.feed_id
        if feed.quote is not None:
            found[feed.quote] = feed.quote_feed_id
    return found


def _feed_problem(addresses: LendingAddresses, account: Account | None, feed_id: bytes, now: UnixTime) -> str:
    if account is None:
        return "oracle_missing"
    try:
        update = pyth.decode_price_update(account.data, owner=account.owner, owners=addresses.oracle_owners)
    except LayoutError:
        return "oracle_malformed"
    return pyth.problem(update, now, feed_id=feed_id)
