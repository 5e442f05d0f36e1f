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

GLOW_MARGIN = Pubkey.from_string("GLoWMgcn3VbyFKiC2FGMgfKxYSyTJS7uKFwKY2CSkq9X")
GLOW_MARGIN_POOL = Pubkey.from_string("CWPeEXnSpELj7tSz9W4oQAGGRbavBtdnhY2bWMyPoo1")
GLOW_AIRSPACE = Pubkey.from_string("AmAJeyNxxjNHfhBoCpsNMgWxhukdv3DSu3XpLfJspace")
GLOW_METADATA = Pubkey.from_string("yT2ut38wC6A6zsGo2aUgy9kkh8EBuNXYvtmo7aUg1oW")
LOOKUP_TABLE_REGISTRY = Pubkey.from_string("LooKUpVskBihZovMhwhEqCER8jwLFHhF4QMZA5axZnJ")
PYTH_RECEIVER = Pubkey.from_string("rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ")
PYTH_PUSH_ORACLE = Pubkey.from_string("pythWSnswVUd12oZpeFP8e9CVaEqJg25g1Vtc2biRsT")
PYTH_RECEIVER_UPGRADED = Pubkey.from_string("rec2HHDDnjLfj4kE7VyEtFA1HPGQLK33259532cRyHp")
PYTH_PUSH_ORACLE_UPGRADED = Pubkey.from_string("pyt2F414BA6dPttK6RddPZUdHfapoBN24GL5wbrPCou")

SOL_USD_FEED = bytes.fromhex("ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d")
SSOL_RATE_FEED = bytes.fromhex("add6499a420f809bbebc0b22fbf68acb8c119023897f6ea801688e0d6e391af4")
