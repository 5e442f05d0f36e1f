"""From a method's JSON result to its value. Everything here raises ``Malformed`` and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.chain import decoding as read
from keeper.chain.accounts import Account
from keeper.chain.answers import (
    Commitment,
    EpochInfo,
    LandedTransaction,
    PerformanceSample,
    RecentBlockhash,
    SignatureInfo,
    SignatureStatus,
    Simulation,
    TokenBalance,
)
from keeper.chain.decoding import Malformed, member
from keeper.units import BlockHeight, ComputeUnits, Epoch, Lamports, MicroLamports, Mint, Slot, TokenAmount


def epoch_info(result: object) -> EpochInfo:
    def number(name: str) -> int:
        return read.u64(member(result, name, "result"), f"result.{name}")

    return EpochInfo(
        epoch=Epoch(number("epoch")),
        slot_index=number("slotIndex"),
        slots_in_epoch=number("slotsInEpoch"),
        absolute_slot=Slot(number("absoluteSlot")),
        block_height=BlockHeight(number("blockHeight")),
    )


def recent_blockhash(value: object, slot: Slot, path: str) -> RecentBlockhash:
    return RecentBlockhash(
        hash=read.blockhash(member(value, "blockhash", path), f"{path}.blockhash"),
        last_valid_block_height=BlockHeight(
            read.u64(member(value, "lastValidBlockHeight", path), f"{path}.lastValidBlockHeight")
        ),
        slot=slot,
    )


def latest_blockhash(result: object) -> RecentBlockhash:
    slot, value = read.with_context(result)
    return recent_blockhash(value, slot, "result.value")


def account_list(value: object, keys: Sequence[Pubkey], path: str) -> dict[Pubkey, Account | None]:
    """Accounts in the order they were asked for. One more or less than asked is malformed."""
    items = read.sequence(value, path)
    if len(items) != len(keys):
        raise Malformed(path, f"{len(keys)} accounts", f"{len(items)} accounts")
    return {
        key: read.account(item, f"{path}[{index}]") for index, (key, item) in enumerate(zip(keys, items, strict=True))
    }


def keyed_accounts(value: object, path: str) -> dict[Pubkey, Account | None]:
    """``[{pubkey, account}]`` of getProgramAccounts and getTokenAccountsByOwner."""
    found: dict[Pubkey, Account | None] = {}
    for index, item in enumerate(read.sequence(value, path)):
        place = f"{path}[{index}]"
        account = read.account(member(item, "account", place), f"{place}.account")
        if account is None:
            raise Malformed(f"{place}.account", "an account", None)
        found[read.pubkey(member(item, "pubkey", place), f"{place}.pubkey")] = account
    return found


def commitment(value: object, path: str) -> Commitment:
    try:
        return Commitment(read.text(value, path))
    except ValueError as error:
        raise Malformed(path, "processed, confirmed or finalized", value) from error


def signature_statuses(result: object, count: int) -> list[SignatureStatus | None]:
    _, value = read.with_context(result)
    items = read.sequence(value, "result.value")
    if len(items) != count:
        raise Malformed("result.value", f"{count} statuses", f"{len(items)} statuses")
    return [_status(item, f"result.value[{index}]") for index, item in enumerate(items)]


def _status(item: object, path: str) -> SignatureStatus | None:
    if item is None:
        return None
    named = read.mapping(item, path).get("confirmationStatus")
    if named is None:  # old nodes leave it out; only "rooted" (confirmations null) is then known for certain
        rooted = member(item, "confirmations", path) is None
        level = Commitment.FINALIZED if rooted else Commitment.PROCESSED
    else:
        level = commitment(named, f"{path}.confirmationStatus")
    return SignatureStatus(
        slot=Slot(read.u64(member(item, "slot", path), f"{path}.slot")),
        confirmation=level,
        err=read.transaction_err(member(item, "err", path), f"{path}.err"),
    )


def simulation(result: object, keys: Sequence[Pubkey]) -> Simulation:
    slot, value = read.with_context(result)
    fields = read.mapping(value, "result.value")
    err = read.transaction_err(member(value, "err", "result.value"), "result.value.err")
    listed = fields.get("accounts")
    if err is not None or not keys:
        accounts: dict[Pubkey, Account | None] = {}
    else:
        accounts = account_list(listed, keys, "result.value.accounts")
    units = fields.get("unitsConsumed")
    if units is None and err is None:
        raise Malformed("result.value.unitsConsumed", "an unsigned 64-bit integer", None)
    replacement = fields.get("replacementBlockhash")
    return Simulation(
        err=err,
        logs=read.lines(fields.get("logs"), "result.value.logs"),
        units=ComputeUnits(0 if units is None else read.u64(units, "result.value.unitsConsumed")),
        accounts=accounts,
        slot=slot,
        replacement=None
        if replacement is None
        else recent_blockhash(replacement, slot, "result.value.replacementBlockhash"),
        return_data=_return_data(fields.get("returnData"), "result.value.returnData"),
        loaded_data_size=_optional_u64(fields, "loadedAccountsDataSize"),
        fee=None if (fee := _optional_u64(fields, "fee")) is None else Lamports(fee),
    )


def _optional_u64(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return None if value is None else read.u64(value, f"result.value.{name}")


def _return_data(value: object, path: str) -> tuple[Pubkey, bytes] | None:
    if value is None:
        return None
    program = read.pubkey(member(value, "programId", path), f"{path}.programId")
    return program, read.encoded(member(value, "data", path), f"{path}.data")


def landed_transaction(result: object, signature: Signature) -> LandedTransaction | None:
    """A getTransaction result in "json" encoding; None where the node does not know the signature."""
    if result is None:
        return None
    meta = member(result, "meta", "result")
    if meta is None:
        raise Malformed("result.meta", "the transaction's outcome", None)
    fields = read.mapping(meta, "result.meta")
    carried = read.mapping(member(result, "transaction", "result"), "result.transaction").get("signatures")
    if not isinstance(carried, list) or not carried or carried[0] != str(signature):
        raise Malformed("result.transaction.signatures", f"the transaction {signature} that was asked for", carried)
    keys = _account_keys(member(result, "transaction", "result"), fields)
    units = fields.get("computeUnitsConsumed")
    return LandedTransaction(
        signature=signature,
        slot=Slot(read.u64(member(result, "slot", "result"), "result.slot")),
        block_time=read.unix_time(read.mapping(result, "result").get("blockTime"), "result.blockTime"),
        err=read.transaction_err(member(meta, "err", "result.meta"), "result.meta.err"),
        fee=Lamports(read.u64(member(meta, "fee", "result.meta"), "result.meta.fee")),
        units=None if units is None else ComputeUnits(read.u64(units, "result.meta.computeUnitsConsumed")),
        account_keys=keys,
        pre_balances=_balances(meta, "preBalances", len(keys)),
        post_balances=_balances(meta, "postBalances", len(keys)),
        pre_token_balances=_token_balances(fields, "preTokenBalances", keys),
        post_token_balances=_token_balances(fields, "postTokenBalances", keys),
        logs=read.lines(fields.get("logMessages"), "result.meta.logMessages"),
    )


def _account_keys(transaction: object, meta: dict[str, Any]) -> tuple[Pubkey, ...]:
    path = "result.transaction.message.accountKeys"
    message = member(transaction, "message", "result.transaction")
    static = read.sequence(member(message, "accountKeys", "result.transaction.message"), path)
    keys = [read.pubkey(item, path) for item in static]
    loaded = meta.get("loadedAddresses")
    if loaded is not None:
        for side in ("writable", "readonly"):
            place = f"result.meta.loadedAddresses.{side}"
            listed = read.sequence(member(loaded, side, "result.meta.loadedAddresses"), place)
            keys += [read.pubkey(item, place) for item in listed]
    return tuple(keys)


def _balances(meta: object, name: str, count: int) -> tuple[Lamports, ...]:
    path = f"result.meta.{name}"
    items = read.sequence(member(meta, name, "result.meta"), path)
    if len(items) != count:
        raise Malformed(path, f"{count} balances", f"{len(items)} balances")
    return tuple(Lamports(read.u64(item, path)) for item in items)


def _token_balances(meta: dict[str, Any], name: str, keys: tuple[Pubkey, ...]) -> tuple[TokenBalance, ...]:
    path = f"result.meta.{name}"
    listed = meta.get(name)
    return tuple(_token_balance(item, path, keys) for item in (read.sequence(listed, path) if listed else []))


def _token_balance(item: object, path: str, keys: tuple[Pubkey, ...]) -> TokenBalance:
    index = read.u64(member(item, "accountIndex", path), f"{path}.accountIndex")
    if index >= len(keys):
        raise Malformed(f"{path}.accountIndex", f"an index below {len(keys)}", index)
    amount = member(item, "uiTokenAmount", path)
    decimals = read.u64(member(amount, "decimals", path), f"{path}.decimals")
    if decimals > 255:
        raise Malformed(f"{path}.decimals", "an unsigned 8-bit integer", decimals)
    address = str(read.pubkey(member(item, "mint", path), f"{path}.mint"))
    owner = read.mapping(item, path).get("owner")
    return TokenBalance(
        account=keys[index],
        owner=None if owner is None else read.pubkey(owner, f"{path}.owner"),
        amount=TokenAmount(
            # the record knows no symbol; a mint's identity is its address
            Mint(address, f"{address[:4]}..{address[-4:]}", decimals),
            read.u64_text(member(amount, "amount", path), f"{path}.amount"),
        ),
    )


def signature_infos(result: object) -> list[SignatureInfo]:
    return [_signature_info(item, f"result[{i}]") for i, item in enumerate(read.sequence(result, "result"))]


def _signature_info(item: object, path: str) -> SignatureInfo:
    fields = read.mapping(item, path)
    level = fields.get("confirmationStatus")
    return SignatureInfo(
        signature=read.signature(member(item, "signature", path), f"{path}.signature"),
        slot=Slot(read.u64(member(item, "slot", path), f"{path}.slot")),
        err=read.transaction_err(member(item, "err", path), f"{path}.err"),
        block_time=read.unix_time(fields.get("blockTime"), f"{path}.blockTime"),
        confirmation=None if level is None else commitment(level, f"{path}.confirmationStatus"),
    )


def prioritization_fees(result: object) -> list[tuple[Slot, MicroLamports]]:
    return [
        (
            Slot(read.u64(member(item, "slot", "result[]"), "result[].slot")),
            MicroLamports(read.u64(member(item, "prioritizationFee", "result[]"), "result[].prioritizationFee")),
        )
        for item in read.sequence(result, "result")
    ]


def performance_samples(result: object) -> list[PerformanceSample]:
    def sample(item: object) -> PerformanceSample:
        def number(name: str) -> int:
            return read.u64(member(item, name, "result[]"), f"result[].{name}")

        return PerformanceSample(
            slot=Slot(number("slot")),
            slots=number("numSlots"),
            transactions=number("numTransactions"),
            seconds=number("samplePeriodSecs"),
        )

    return [sample(item) for item in read.sequence(result, "result")]
