"""Several nodes for the two things that one node is not enough for: spreading a send, and proving an expiry."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from keeper.chain.answers import Refused, SendResult, Sent, Unknown
from keeper.chain.errors import RpcError
from keeper.chain.rpc import RpcClient
from keeper.units import BlockHeight


class NoEndpointAnswered(RpcError):
    """None of the configured nodes answered."""

    def __init__(self, errors: tuple[RpcError, ...]) -> None:
        super().__init__(
            "; ".join(str(error) for error in errors),
            method=errors[0].method,
            endpoint=", ".join(error.endpoint for error in errors),
        )
        self.errors = errors


@dataclass(frozen=True, slots=True)
class HeightFloor:
    """The lowest block height among the nodes that answered: ``answered`` of ``asked``."""

    height: BlockHeight
    answered: int
    asked: int


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What each endpoint said to the same bytes, in the order of ``Endpoints.all``."""

    results: tuple[tuple[str, SendResult], ...]

    @property
    def sent(self) -> bool:
        """At least one node took the bytes."""
        return any(isinstance(result, Sent) for _, result in self.results)

    @property
    def refused_by_all(self) -> bool:
        """Every node said that it did not forward them: the only case in which this broadcast left no trace."""
        return all(isinstance(result, Refused) for _, result in self.results)

    @property
    def overall(self) -> SendResult:
        """The most alive answer: Sent before Unknown before Refused."""
        for kind in (Sent, Unknown, Refused):
            for _, result in self.results:
                if isinstance(result, kind):
                    return result
        raise AssertionError("a broadcast has at least one result")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """One node to read from, and others that also take sends and vouch for expiry."""

    primary: RpcClient
    others: tuple[RpcClient, ...] = ()

    @property
    def all(self) -> tuple[RpcClient, ...]:
        return (self.primary, *self.others)

    async def block_height_floor(self, commitment: str | None = None) -> HeightFloor:
        """The lowest height of the nodes that answer; a maximum would let one wrong node declare a transaction dead.

        Raises ``NoEndpointAnswered``. How many must have answered is the caller's rule.
        """
        gathered = await asyncio.gather(*(self._height(rpc, commitment) for rpc in self.all))
        heights = [item for item in gathered if isinstance(item, BlockHeight)]
        if not heights:
            raise NoEndpointAnswered(tuple(item for item in gathered if isinstance(item, RpcError)))
        return HeightFloor(min(heights), len(heights), len(gathered))

    async def broadcast(self, raw: bytes, *, skip_preflight: bool = True) -> Broadcast:
        """The same bytes to every node at once. Raises ``ValueError`` for bytes that are not a signed transaction."""
        gathered = await asyncio.gather(*(rpc.send_transaction(raw, skip_preflight=skip_preflight) for rpc in self.all))
        return Broadcast(tuple((rpc.endpoint, result) for rpc, result in zip(self.all, gathered, strict=True)))

    async def aclose(self) -> None:
        for rpc in self.all:
            await rpc.aclose()

    @staticmethod
    async def _height(rpc: RpcClient, commitment: str | None) -> BlockHeight | RpcError:
        try:
            return await rpc.block_height(commitment)
        except RpcError as error:
            return error
