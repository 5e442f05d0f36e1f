"""Glow's liquid restaking program (glowSOL), driven by an Anchor IDL and a mapping of roles to its parts."""

from keeper.protocols.glow_lrt.accounts import LrtPool, QueueSlot
from keeper.protocols.glow_lrt.codec import EncodeError
from keeper.protocols.glow_lrt.idl import Idl, IdlError
from keeper.protocols.glow_lrt.idl_account import decode_idl_account, encode_idl_account, idl_address
from keeper.protocols.glow_lrt.localnet_mapping import LOCALNET_LRT_MAPPING, localnet_pool_address
from keeper.protocols.glow_lrt.mapping import LrtMapping, MappingError
from keeper.protocols.glow_lrt.program import LrtProgram
from keeper.protocols.glow_lrt.quotes import (
    LrtBooks,
    cancel_fee,
    quote_deposit_sol,
    quote_deposit_ssol,
    quote_request,
    redemption_rate,
)
from keeper.protocols.glow_lrt.resolution import IdlMismatch, PoolStateRequired

__all__ = [
    "LOCALNET_LRT_MAPPING",
    "EncodeError",
    "Idl",
    "IdlError",
    "IdlMismatch",
    "LrtBooks",
    "LrtMapping",
    "LrtPool",
    "LrtProgram",
    "MappingError",
    "PoolStateRequired",
    "QueueSlot",
    "cancel_fee",
    "decode_idl_account",
    "encode_idl_account",
    "idl_address",
    "localnet_pool_address",
    "quote_deposit_sol",
    "quote_deposit_ssol",
    "quote_request",
    "redemption_rate",
]
