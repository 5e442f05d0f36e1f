"""The account of a liquidation under way. Layout: shared facts, protocol.md 3.9; 392 bytes, zero-copy."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN
from keeper.sim.localnet.programs.anchor import AnchorError, account_discriminator
from keeper.sim.localnet.programs.glow_margin_errors import MarginError

LIQUIDATION_DISCRIMINATOR = account_discriminator("LiquidationState")
FEE_SLOTS = 6
_HEAD = struct.Struct("<8s32s32s")
_BODY = struct.Struct("<16s16s16s16sqB7x")
_FEE = struct.Struct("<32sQ")
LIQUIDATION_SIZE = _HEAD.size + _BODY.size + FEE_SLOTS * _FEE.size


@dataclass(slots=True)
class LiquidationState:
    """Amounts are raw Number128 USD; ``start_time`` unix seconds; ``fees`` accrued base units by mint, at most six."""

    liquidator: Pubkey
    margin_account: Pubkey
    max_equity_loss: int
    max_available_collateral: int
    start_time: int
    equity_loss: int = 0
    collateral_change: int = 0
    is_collecting_fees: bool = False
    fees: dict[Pubkey, int] = field(default_factory=dict)

    @classmethod
    def decode(cls, data: bytes) -> LiquidationState:
        if len(data) != LIQUIDATION_SIZE:
            raise AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("liquidation")
        _, liquidator, margin = _HEAD.unpack_from(data)
        *numbers, start, collecting = _BODY.unpack_from(data, _HEAD.size)
        loss, max_loss, change, limit = (int.from_bytes(number, "little", signed=True) for number in numbers)
        slots = (_FEE.unpack_from(data, LIQUIDATION_SIZE - (FEE_SLOTS - slot) * _FEE.size) for slot in range(FEE_SLOTS))
        fees = {Pubkey(mint): amount for mint, amount in slots if mint != bytes(32)}
        return cls(Pubkey(liquidator), Pubkey(margin), max_loss, limit, start, loss, change, collecting != 0, fees)

    @property
    def body(self) -> bytes:
        """Everything after the two addresses: what events carry."""
        numbers = (self.equity_loss, self.max_equity_loss, self.collateral_change, self.max_available_collateral)
        packed = (number.to_bytes(16, "little", signed=True) for number in numbers)
        slots = b"".join(_FEE.pack(bytes(mint), amount) for mint, amount in self.fees.items())
        body = _BODY.pack(*packed, self.start_time, self.is_collecting_fees)
        return body + slots.ljust(FEE_SLOTS * _FEE.size, b"\0")

    def encode(self) -> bytes:
        return _HEAD.pack(LIQUIDATION_DISCRIMINATOR, bytes(self.liquidator), bytes(self.margin_account)) + self.body

    def accrue(self, mint: Pubkey, amount: int) -> None:
        """Raises LiquidationFeeSlotsFull for a seventh mint."""
        if mint not in self.fees and len(self.fees) == FEE_SLOTS:
            raise MarginError.LIQUIDATION_FEE_SLOTS_FULL.error()
        self.fees[mint] = self.fees.get(mint, 0) + amount


def liquidation_address(margin_account: Pubkey, liquidator: Pubkey) -> tuple[Pubkey, int]:
    seeds = [b"liquidation", bytes(margin_account), bytes(liquidator)]
    return Pubkey.find_program_address(seeds, GLOW_MARGIN)
