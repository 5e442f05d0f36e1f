"""Program and account addresses that the facts know. What they call UNKNOWN is not here: it is configuration.

Source: shared facts, protocol.md 0.1-0.3.
"""

from solders.pubkey import Pubkey

SYSTEM = Pubkey.from_string("11111111111111111111111111111111")
SPL_TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED_TOKEN = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
STAKE = Pubkey.from_string("Stake11111111111111111111111111111111111111")
ADDRESS_LOOKUP_TABLE = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
CLOCK_SYSVAR = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
RENT_SYSVAR = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
STAKE_HISTORY_SYSVAR = Pubkey.from_string("SysvarStakeHistory1111111111111111111111111")
WSOL_MINT = Pubkey.from_string("So11111111111111111111111111111111111111112")

STAKE_POOL_PROGRAM = Pubkey.from_string("SPoo1Ku8WFXoNDMHPsrGSTSG1Y47rzgn41SLUNakuHy")
SOLAYER_RESTAKING = Pubkey.from_string("sSo1iU21jBrU9VaJ8PJib1MtorefUV4fzC9GURa2KNn")
GLOW_LRT = Pubkey.from_string("LRtc6q4AhSr3k9dSLXpTRoAP1hBrgbQSiFkuQpuHaq3")
JUPITER_V6 = Pubkey.from_string("JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4")

SSOL_MINT = Pubkey.from_string("sSo14endRuUbvQaJS3dq36Q829a3A6BEfoeeRGJywEh")
LST_MINT = Pubkey.from_string("sSo1wxKKr6zW2hqf5hZrp2CawLibcwi1pMBqk5bg2G4")
RESTAKING_POOL = Pubkey.from_string("3sk58CzpitB9jsnVzZWwqeCn2zcXVherhALBh88Uw9GQ")
LST_VAULT = Pubkey.from_string("4eimDGZonDS41b7YEEtxuX1JbSRLanH2BLJfG5sqbCsB")
SOLAYER_STAKE_POOL = Pubkey.from_string("po1osKDWYF9oiVEGmzKA4eTs8eMveFRMox3bUKazGN2")
SOLAYER_VALIDATOR_LIST = Pubkey.from_string("nk5E1Gc2rCuU2MDTRqdcQdiMfV9KnZ6JHykA1cTJQ56")
SOLAYER_MANAGER_FEE = Pubkey.from_string("ARs3HTD79nsaUdDKqfGhgbNMVJkXVdRs2EpHAm4LNEcq")
