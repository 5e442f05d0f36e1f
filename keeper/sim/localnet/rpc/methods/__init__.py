"""The methods of the JSON-RPC face by topic."""

from keeper.sim.localnet.rpc.methods.accounts import ACCOUNT_METHODS
from keeper.sim.localnet.rpc.methods.chain import CHAIN_METHODS
from keeper.sim.localnet.rpc.methods.cluster import CLUSTER_METHODS
from keeper.sim.localnet.rpc.methods.extension import EXTENSION_METHODS
from keeper.sim.localnet.rpc.methods.history import HISTORY_METHODS
from keeper.sim.localnet.rpc.methods.tokens import TOKEN_METHODS
from keeper.sim.localnet.rpc.methods.transactions import TRANSACTION_METHODS
from keeper.sim.localnet.rpc.node import Method

METHODS: dict[str, Method] = {
    **ACCOUNT_METHODS,
    **CHAIN_METHODS,
    **CLUSTER_METHODS,
    **EXTENSION_METHODS,
    **HISTORY_METHODS,
    **TOKEN_METHODS,
    **TRANSACTION_METHODS,
}

__all__ = ["METHODS"]
