"""The wallet: whether it can pay, and whether its token accounts are its own."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.doctor.chart import Chart, wallet_accounts
from keeper.doctor.check import Check, Verdict, failed, passed, unknown
from keeper.protocols.addresses import SYSTEM
from keeper.protocols.layout import LayoutError
from keeper.protocols.token import AccountState, decode_token_account
from keeper.units import Lamports

NO_WALLET = "no wallet: its key could not be read", "see the check 'keypair'"


def _funds(chart: Chart) -> Iterator[Verdict]:
    """Below half the reserve the review refuses everything; at the reserve a wallet without tokens has nothing to work with."""
    case = chart.case
    if case.owner is None:
        yield unknown(*NO_WALLET)
        return
    account = chart.at(case.owner)
    if account is not None and account.owner != SYSTEM:
        yield failed(
            f"{case.owner} belongs to the program {account.owner}, so it can pay for nothing",
            "use a wallet that the system program owns",
        )
        return
    lamports = account.lamports if account is not None else Lamports(0)
    accounts = wallet_accounts(case).values()
    opened = [key for key in accounts if chart.at(key) is not None]
    rent = chart.rent * (len(accounts) - len(opened))
    found = f"{lamports}, of which {case.gas_reserve} are the reserve; opening its missing token accounts takes {rent}"
    remedy = f"send SOL to {case.owner}, or check that wallet.keypair and cluster.rpc are the ones you mean"
    if lamports.value * 2 < case.gas_reserve.value:
        yield failed(f"{found}; less than half the reserve is left, nothing can be signed", remedy)
    elif lamports <= case.gas_reserve + rent and not opened:
        yield failed(f"{found}; nothing is left to trade with", remedy)
    else:
        yield passed(found)


def _token_accounts(chart: Chart) -> Iterator[Verdict]:
    case = chart.case
    if case.owner is None:
        yield unknown(*NO_WALLET)
        return
    opened = []
    for token, key in wallet_accounts(case).items():
        account = chart.at(key)
        if account is None:
            continue
        try:
            held = decode_token_account(account.data, owner_program=account.owner)
        except LayoutError as error:
            yield failed(str(error), f"close {key}, or move to a fresh wallet", subject=str(token))
            continue
        opened.append(str(token))
        if held.owner != case.owner or str(held.mint) != token.address:
            problem = f"{key} is {held.owner}'s account for {held.mint}"
            yield failed(problem, "somebody else owns it: move to a fresh wallet", subject=str(token))
        elif held.state is AccountState.FROZEN:
            yield failed(
                f"{key} is frozen", "ask the mint's freeze authority why; nothing can be sold", subject=str(token)
            )
        elif held.delegate is not None:
            remedy = f"revoke it (spl-token revoke {key}): a delegate can spend what the keeper earns"
            yield failed(f"{held.delegate} may spend from {key}", remedy, subject=str(token))
    yield passed(f"open: {', '.join(opened) or 'none yet, each is opened when it is first needed'}")


CHECKS = (Check("funds", _funds, blocks=False), Check("token_accounts", _token_accounts))
