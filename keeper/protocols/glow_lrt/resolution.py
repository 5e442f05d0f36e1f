"""Addresses of an instruction's accounts, from the mapping, the IDL's own seeds and the pool's decoded state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN
from keeper.protocols.glow_lrt.codec import encode
from keeper.protocols.glow_lrt.idl import (
    AccountItem,
    AccountSeed,
    ConstSeed,
    Idl,
    InstructionSpec,
    Pda,
    Primitive,
    Seed,
)
from keeper.protocols.glow_lrt.mapping import LrtMapping, Source, nearest
from keeper.protocols.layout import PUBKEY_LENGTH
from keeper.protocols.token import associated_token_address

MAX_SEEDS = 15
"""The runtime takes 16, one of which is the bump."""
MAX_SEED_LENGTH = 32


class IdlMismatch(ValueError):
    """The IDL and the mapping do not fit. Names the role, what was wanted and the nearest thing that exists."""

    def __init__(self, role: str, wanted: str, message: str) -> None:
        super().__init__(f"{role}: {message}")
        self.role = role
        self.wanted = wanted


class PoolStateRequired(ValueError):
    """An address stands in the pool account, which has not been read yet: use ``LrtProgram.with_pool_state``."""


class Resolver:
    """What addresses mean for one program, pool and mapping."""

    def __init__(
        self,
        idl: Idl,
        mapping: LrtMapping,
        *,
        program_id: Pubkey,
        pool: Pubkey,
        pool_fields: Mapping[str, Any] | None,
    ) -> None:
        self.idl = idl
        self.mapping = mapping
        self.program_id = program_id
        self.pool = pool
        self._pool_fields = pool_fields

    def source(self, source: Source, owner: Pubkey, role: str) -> Pubkey:
        """Address that a mapping's source stands for. Raises ``IdlMismatch`` or ``PoolStateRequired``."""
        match source.kind:
            case "owner":
                return owner
            case "pool":
                return self.pool
            case "queue":
                return self.queue(owner)
            case "field":
                return self.pool_key(source.text, role)
            case "ata":
                wallet, mint, *rest = (self.source(one, owner, role) for one in source.parts)
                return associated_token_address(wallet, mint, rest[0] if rest else SPL_TOKEN)
            case "pda":
                seeds = [
                    one.text.encode() if one.kind == "text" else bytes(self.source(one, owner, role))
                    for one in source.parts
                ]
                return Pubkey.find_program_address(seeds, self.program_id)[0]
        if source.address is None:
            raise IdlMismatch(role, source.kind, f"a source of kind {source.kind!r} has no address")
        return source.address

    def queue(self, owner: Pubkey) -> Pubkey:
        """Address of the owner's withdrawal queue."""
        if self.mapping.queue is None:
            raise IdlMismatch("queue", "queue", "the mapping has no queue, so unstaking is not available")
        return self.source(self.mapping.queue.address, owner, "queue")

    def pool_key(self, name: str, role: str) -> Pubkey:
        """A pubkey field of the pool account, by its IDL name."""
        if self._pool_fields is None:
            raise PoolStateRequired(f"{role}: pool.{name} is needed; read the pool account and use with_pool_state")
        if name not in self._pool_fields:
            raise IdlMismatch(role, name, f"the pool has no field {name!r}; {nearest(name, self._pool_fields)}")
        value = self._pool_fields[name]
        if not isinstance(value, Pubkey):
            raise IdlMismatch(role, name, f"pool.{name} is {value!r}, not an address")
        return value


@dataclass(frozen=True, slots=True)
class Call:
    """One instruction for one owner: walks its accounts, and the seeds that they are derived from."""

    resolver: Resolver
    spec: InstructionSpec
    owner: Pubkey
    args: Mapping[str, Any]
    role: str

    def metas(self) -> list[AccountMeta]:
        """The account list in the IDL's order, with its flags. An optional account that nobody maps is the program
        itself, which is how Anchor writes None. Raises ``IdlMismatch``, ``PoolStateRequired``."""
        metas = []
        for item in self.spec.accounts:
            if item.optional and item.address is None and item.name not in self.resolver.mapping.accounts:
                metas.append(AccountMeta(self.resolver.program_id, is_signer=False, is_writable=False))
                continue
            address = self.account(item, ())
            if item.signer and address != self.owner:
                raise self.mismatch(item.name, f"account {item.name!r} must sign, but is {address}, not the owner")
            metas.append(AccountMeta(address, is_signer=item.signer, is_writable=item.writable))
        return metas

    def mismatch(self, wanted: str, message: str) -> IdlMismatch:
        """An ``IdlMismatch`` about this call's role, for the caller to raise."""
        return IdlMismatch(self.role, wanted, message)

    def account(self, item: AccountItem, trail: tuple[str, ...]) -> Pubkey:
        """One account: the IDL's fixed address, the mapping's source, the IDL's seeds, or the names owner and pool."""
        if item.address is not None:
            return item.address
        sources = self.resolver.mapping.accounts
        if item.name in sources:
            return self.resolver.source(sources[item.name], self.owner, self.role)
        if item.pda is not None:
            if item.name in trail:
                raise self.mismatch(item.name, f"seeds of {item.name!r} depend on itself")
            return self._derive(item.name, item.pda, (*trail, item.name))
        if item.name in ("owner", "pool"):
            return self.owner if item.name == "owner" else self.resolver.pool
        message = f"account {item.name!r} of {self.spec.name} has no address, no seeds and no entry in mapping.accounts"
        raise self.mismatch(item.name, f"{message}; {nearest(item.name, sources)}")

    def _derive(self, name: str, pda: Pda, trail: tuple[str, ...]) -> Pubkey:
        seeds = [self._seed(seed, trail) for seed in pda.seeds]
        if len(seeds) > MAX_SEEDS or any(len(seed) > MAX_SEED_LENGTH for seed in seeds):
            raise self.mismatch(name, f"seeds of {name!r} are longer or more than a program may use")
        program = self.resolver.program_id
        if pda.program is not None:
            octets = self._seed(pda.program, trail)
            if len(octets) != PUBKEY_LENGTH:
                raise self.mismatch(name, f"the deriving program of {name!r} is {octets.hex()}, not an address")
            program = Pubkey.from_bytes(octets)
        return Pubkey.find_program_address(seeds, program)[0]

    def _seed(self, seed: Seed, trail: tuple[str, ...]) -> bytes:
        if isinstance(seed, ConstSeed):
            return seed.value
        if isinstance(seed, AccountSeed):
            return self._account_seed(seed.path, trail)
        for arg in self.spec.args:
            if arg.name == seed.path and arg.name in self.args:
                encoded = encode(self.resolver.idl, arg.type, self.args[arg.name], seed.path)
                # A string or byte vector is hashed without its length, as Rust's as_bytes() gives it.
                return encoded[4:] if arg.type in (Primitive("string"), Primitive("bytes")) else encoded
        raise self.mismatch(seed.path, f"a seed needs argument {seed.path!r}, which {self.spec.name} does not have")

    def _account_seed(self, path: str, trail: tuple[str, ...]) -> bytes:
        items = {one.name: one for one in self.spec.accounts}
        if path in items:
            return bytes(self.account(items[path], trail))
        name, _, field = path.rpartition(".")
        if name in items and self.account(items[name], trail) == self.resolver.pool:
            return bytes(self.resolver.pool_key(field, self.role))
        raise self.mismatch(path, f"seed {path!r} is not an account of {self.spec.name}, nor a field of its pool")
