"""The localnet's JSON-RPC and websocket faces, in Solana's words."""

from keeper.sim.localnet.rpc.dispatch import JsonRpc
from keeper.sim.localnet.rpc.errors import RpcError
from keeper.sim.localnet.rpc.faults import Faults
from keeper.sim.localnet.rpc.subscriptions import Subscriber, Subscriptions

__all__ = ["Faults", "JsonRpc", "RpcError", "Subscriber", "Subscriptions"]
