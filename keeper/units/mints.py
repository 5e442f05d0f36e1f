"""The mints this product knows by address. glowSOL's own address is UNKNOWN: it is configuration or discovered.

Source: shared facts, protocol.md 0.2 (Solayer's CLI, SPL).
"""

from keeper.units.amounts import Mint

WSOL_ADDRESS = "So11111111111111111111111111111111111111112"
SOL = Mint(
    WSOL_ADDRESS, "SOL", 9
)  # DEXes quote SOL by the native mint; native lamports are Lamports, wSOL a TokenAmount
SSOL = Mint("sSo14endRuUbvQaJS3dq36Q829a3A6BEfoeeRGJywEh", "sSOL", 9)
STAKE_POOL_LST = Mint("sSo1wxKKr6zW2hqf5hZrp2CawLibcwi1pMBqk5bg2G4", "sSOL-raw", 9)
GLOWSOL_SYMBOL = "glowSOL"
