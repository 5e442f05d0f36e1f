"""``Deposit``, ``Withdraw``, ``Borrow`` and ``Repay``: between the wallet and the margin account, native SOL for SOL.

What the margin account signs goes through ``adapter_invoke``, which ends with the program's health check; what the wallet pays
goes through ``accounting_invoke``, which has none, so that paying back is possible in any state.
"""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.execution.builders.lending_refresh import Place, place, position_account, signed_by_account, unsigned
from keeper.execution.builders.site import Fragment, Site, ours
from keeper.execution.builders.whole_repayment import whole_repayment
from keeper.execution.lending_sight import LendingSight, loan_account, passage_account
from keeper.execution.outcome import Refusal, Stage
from keeper.plan import Borrow, Deposit, Repay, Withdraw
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as margin_pool
from keeper.protocols.glow_margin_pool import ChangeKind, PoolError
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingPool, RawCollateral
from keeper.protocols.token import (
    associated_token_address,
    create_ata_idempotent,
    decode_token_account,
    unwrap,
    wrap,
)
from keeper.units import SOL, Lamports, Mint, TokenAmount


def deposit(site: Site, intent: Deposit) -> Fragment:
    """Move ``intent.amount`` from the wallet into the margin account, opening the position where it is missing."""
    sight = site.lending()
    where = place(sight, intent)
    source = _wallet_account(site, where)
    put = (
        _transfer(site, where.raw, source, inward=True, amount=intent.amount)
        if where.raw is not None
        else unsigned(site, _pool_deposit(site, where, source, intent.amount))
    )
    return _paid_by_wallet(site, intent.amount, put)


def withdraw(site: Site, intent: Withdraw) -> Fragment:
    """Move exactly ``intent.amount`` out to the wallet; fails on chain where that leaves the account unhealthy."""
    sight = site.lending()
    where = place(sight, intent)
    _require_position(sight, where)
    target = _wallet_account(site, where)
    addresses = sight.addresses
    if where.raw is not None:
        # Moving a raw token is not judged by the program itself.
        take = [
            _transfer(site, where.raw, target, inward=False, amount=intent.amount),
            margin.verify_healthy(addresses.account, program=addresses.margin_program),
        ]
        return _paid_to_wallet(site, where, *take)
    pool = _pool(where)
    out = margin_pool.instructions.withdraw(
        pool,
        depositor=addresses.account,
        source=position_account(sight, where.token),
        destination=target,
        amount=intent.amount,
        program=addresses.pool_program,
    )
    mint, there = Pubkey.from_string(where.mint.address), site.exists(passage_account(addresses, pool))
    missing = () if there else (create_ata_idempotent(site.owner, addresses.account, mint, pool.token_program),)
    return _paid_to_wallet(site, where, *missing, signed_by_account(site, out))


def borrow(site: Site, intent: Borrow) -> Fragment:
    """Borrow exactly ``intent.amount`` into the wallet, opening the loan where it is missing."""
    sight = site.lending()
    where = place(sight, intent)
    addresses = sight.addresses
    lent = margin_pool.instructions.margin_borrow_v2(
        _pool(where),
        margin_account=addresses.account,
        destination=_wallet_account(site, where),
        amount=intent.amount,
        program=addresses.pool_program,
    )
    return _paid_to_wallet(site, where, signed_by_account(site, lent))


def repay(site: Site, intent: Repay) -> Fragment:
    """Pay ``intent.amount`` of debt back, or with ``whole`` all of it (``whole_repayment``), unspent SOL coming back."""
    sight = site.lending()
    where = place(sight, intent)
    _require_position(sight, where)
    pool = _pool(where)
    try:
        whole = whole_repayment(sight.pools[pool.address], _loan_notes(site, pool), sight.now, intent.amount.units)
    except PoolError as error:
        raise Refusal(Stage.COMPILE, "loan_not_computable", str(error), pool=str(pool.address)) from error
    if intent.whole and whole.clearing > intent.amount.units:
        raise _beyond("repay_beyond_amount", intent, whole.owed, "more is owed than the plan allows")
    if not intent.whole and intent.amount.units > whole.owed:
        raise _beyond("repay_beyond_loan", intent, whole.owed, "the plan pays more than is owed; use whole")
    paid = TokenAmount(intent.amount.mint, whole.clearing) if intent.whole else intent.amount
    calls = [_repayment(site, pool, paid, ChangeKind.SHIFT_BY)]
    if intent.whole and whole.brings_down:
        calls.append(_repayment(site, pool, TokenAmount(paid.mint, 0), ChangeKind.SET_DESTINATION_TO))
    return _paid_by_wallet(site, intent.amount, unsigned(site, *calls))


def _beyond(reason: str, intent: Repay, owed: int, why: str) -> Refusal:
    detail = f"{why}: {owed} base units are owed, the plan says {intent.amount}"
    return Refusal(Stage.COMPILE, reason, detail, owed=owed, plan=intent.amount.units)


def _repayment(site: Site, pool: LendingPool, amount: TokenAmount, change: ChangeKind) -> Instruction:
    addresses = site.lending().addresses
    return margin_pool.instructions.repay(
        pool,
        margin_account=addresses.account,
        source=associated_token_address(site.owner, Pubkey.from_string(pool.mint.address), pool.token_program),
        authority=site.owner,
        amount=amount,
        change=change,
        program=addresses.pool_program,
    )


def _loan_notes(site: Site, pool: LendingPool) -> int:
    key = loan_account(site.lending().addresses, pool)
    account = site.account(key, "loan account")
    try:
        return decode_token_account(account.data, owner_program=account.owner).amount
    except LayoutError as error:
        raise Refusal(Stage.COMPILE, "account_malformed", str(error), account=str(key)) from error


def _require_position(sight: LendingSight, where: Place) -> None:
    if sight.account.position(where.token) is None:
        raise Refusal(
            Stage.COMPILE,
            "no_position",
            f"the margin account has no position in {where.mint} of {where.token}: there is nothing to take or to repay",
            token=str(where.token),
        )


def _pool(where: Place) -> LendingPool:
    if where.pool is None:
        raise LookupError(f"{where.mint} lies in no lending pool")
    return where.pool


def _wallet_account(site: Site, where: Place) -> Pubkey:
    """The wallet's associated account for the place's token: for SOL its wrapped-SOL account."""
    program = where.raw.token_program if where.raw is not None else _pool(where).token_program
    return associated_token_address(site.owner, Pubkey.from_string(where.mint.address), program)


def _transfer(site: Site, raw: RawCollateral, account: Pubkey, *, inward: bool, amount: TokenAmount) -> Instruction:
    sight = site.lending()
    addresses = sight.addresses
    held = position_account(sight, Pubkey.from_string(raw.mint.address))
    return margin.transfer_deposit(
        owner=site.owner,
        margin_account=addresses.account,
        source_owner=site.owner if inward else addresses.account,
        source=account if inward else held,
        destination=held if inward else account,
        amount=amount,
        token_program=raw.token_program,
        program=addresses.margin_program,
    )


def _pool_deposit(site: Site, where: Place, source: Pubkey, amount: TokenAmount) -> Instruction:
    sight, pool = site.lending(), _pool(where)
    config = sight.configs.get(where.token)
    features = config.token_features if config is not None else None
    restricted = features is not None and margin.TokenFeature.RESTRICTED in features
    return margin_pool.instructions.deposit(
        pool,
        depositor=site.owner,
        source=source,
        destination=position_account(sight, where.token),
        amount=amount,
        margin_account=sight.addresses.account if restricted else None,
        program=sight.addresses.pool_program,
    )


def _paid_by_wallet(site: Site, amount: TokenAmount, *instructions: Instruction) -> Fragment:
    """``instructions`` that take from the wallet's account: native SOL is wrapped before, and the rest unwrapped behind."""
    if amount.mint != SOL:
        return ours(*instructions)
    return ours(*wrap(site.owner, Lamports(amount.units)), *instructions, unwrap(site.owner))


def _paid_to_wallet(site: Site, where: Place, *instructions: Instruction) -> Fragment:
    """``instructions`` that pay into the wallet's account: it is opened before, and SOL is unwrapped behind."""
    mint: Mint = where.mint
    program = where.raw.token_program if where.raw is not None else _pool(where).token_program
    if mint != SOL:
        missing = () if site.exists(_wallet_account(site, where)) else (_open(site, mint, program),)
        return ours(*missing, *instructions)
    return ours(_open(site, mint, program), *instructions, unwrap(site.owner))


def _open(site: Site, mint: Mint, program: Pubkey) -> Instruction:
    return create_ata_idempotent(site.owner, site.owner, Pubkey.from_string(mint.address), program)
