"""A running localnet on a virtual clock and the few things tests do with it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.server import Localnet

SOL = 10**9
GLOWSOL_DECIMALS = 9


class CallFailed(Exception):
    """A JSON-RPC error as a test sees it."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error))
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


class Stage:
    """``call`` goes through the in-process door, which the HTTP server itself uses."""

    def __init__(self, net: Localnet) -> None:
        self.net = net
        assert net.market is not None
        self.market: Market = net.market
        self.trader = self.market.traders[0]

    async def call(self, method: str, *params: Any) -> Any:
        answer = await self.net.rpc.handle({"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)})
        assert answer is not None
        assert answer["id"] == 7
        if "error" in answer:
            raise CallFailed(answer["error"])
        return answer["result"]

    def signed(
        self,
        signer: Keypair,
        instructions: Sequence[Instruction],
        *,
        blockhash: Hash | None = None,
        tables: Sequence[AddressLookupTableAccount] = (),
    ) -> VersionedTransaction:
        used = blockhash or self.net.bank.latest_blockhash()[0]
        message = MessageV0.try_compile(signer.pubkey(), list(instructions), list(tables), used)
        return VersionedTransaction(message, [signer])

    def payment(self, lamports: int = SOL, to: Pubkey | None = None) -> VersionedTransaction:
        receiver = to or Keypair().pubkey()
        source = self.trader.pubkey()
        return self.signed(
            self.trader, [transfer(TransferParams(from_pubkey=source, to_pubkey=receiver, lamports=lamports))]
        )

    def token_payment(self, to: Pubkey, amount: int) -> VersionedTransaction:
        """glowSOL from the trader to a wallet, creating its account."""
        mint, payer = self.market.glowsol_mint, self.trader.pubkey()
        return self.signed(
            self.trader,
            [
                cpi.create_associated(payer, to, mint),
                cpi.token_transfer_checked(
                    cpi.associated_address(payer, mint),
                    mint,
                    cpi.associated_address(to, mint),
                    payer,
                    amount=amount,
                    decimals=GLOWSOL_DECIMALS,
                ),
            ],
        )

    async def send(self, transaction: VersionedTransaction, **config: Any) -> str:
        signature = await self.call("sendTransaction", wire(transaction), {"encoding": "base64", **config})
        assert isinstance(signature, str)
        return signature

    async def status(self, signature: str) -> Any:
        return (await self.call("getSignatureStatuses", [signature]))["value"][0]

    def token_balance(self, owner: Pubkey, mint: Pubkey) -> int:
        account = self.net.bank.get_account(cpi.associated_address(owner, mint))
        return 0 if account is None else int.from_bytes(account.data[64:72], "little")


def wire(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()
