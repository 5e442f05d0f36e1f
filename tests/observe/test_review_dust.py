"""Anybody may send lamports to an address that he foresees. An account that does not exist yet must not blind the keeper for
that: what holds lamports and nothing else is no account of a program's."""

from __future__ import annotations

from dataclasses import replace

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.observe.parts import Keys
from keeper.protocols.addresses import SYSTEM
from keeper.view import View
from tests.observe.conftest import Eye
from tests.observe.lending_eye import looped, rediscovered

DUST = 890_880
"""The least that the runtime lets lie at an address without data."""


def dust(eye: Eye) -> list[Pubkey]:
    """Lamports at every address that the observer reads and that is not in use."""
    bank = eye.net.bank
    unused = [key for key in Keys(eye.owner, eye.market).all if bank.get_account(key) is None]
    for key in unused:
        bank.set_account(key, Account(DUST, b"", SYSTEM))
    return unused


async def looks(eye: Eye) -> tuple[View, View]:
    """The view before and after, at one slot."""
    before = await eye.observer().view(eye.needs)
    assert len(dust(eye)) > 8  # places of stake, and accounts of tokens, of positions, or of configurations
    return before, await eye.observer().view(eye.needs)


async def test_lamports_at_unused_addresses_change_nothing_of_a_view(eye: Eye) -> None:
    before, after = await looks(eye)
    assert replace(after, fresh=before.fresh) == before
    assert after.fresh.problem == before.fresh.problem


async def test_nor_of_the_margin_account_and_the_pools(eye: Eye) -> None:
    made = await looped(eye)
    before, after = await looks(made.eye)
    assert before.margin is not None
    assert (after.margin, after.lending) == (before.margin, before.lending)


async def test_nor_of_what_is_discovered_at_the_start(eye: Eye) -> None:
    """Here of a pool whose deposit notes nobody has configured."""
    lending = (await rediscovered(eye)).market.lending
    assert lending is not None
    eye.net.bank.set_account(lending.pools[1].deposit_config, Account(0, b"", SYSTEM))
    before = (await rediscovered(eye)).market.lending
    assert before is not None
    assert not before.pools[1].notes_count
    assert before.pools[1].deposit_config in dust(eye)
    assert (await rediscovered(eye)).market.lending == before


async def test_a_margin_account_that_is_not_open_yet_is_none(eye: Eye) -> None:
    await rediscovered(eye)
    before, after = await looks(eye)
    assert before.margin is None
    assert after.margin is None
    assert after.lending == before.lending
    assert [source.problem for source in after.fresh.sources] == [source.problem for source in before.fresh.sources]
