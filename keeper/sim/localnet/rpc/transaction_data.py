"""Transactions as JSON-RPC shows them (agave transaction-status/src/lib.rs, UiTransactionStatusMeta)."""

from __future__ import annotations

import base64
from typing import Any

from solders.message import Message, MessageV0, MessageV1
from solders.transaction import VersionedTransaction

from keeper.sim.localnet.interface import InnerInstruction, TokenBalance, TransactionRecord
from keeper.sim.localnet.rpc.base58 import encode_base58
from keeper.sim.localnet.rpc.errors import unsupported_version
from keeper.sim.localnet.rpc.parsed_instructions import instruction_json
from keeper.sim.localnet.rpc.token_state import ui_amount

ENCODINGS = ("binary", "base64", "base58", "json", "jsonParsed")
_TOP_LEVEL = 1


def version_of(transaction: VersionedTransaction) -> int | None:
    """0 or 1; None for a legacy transaction."""
    message = transaction.message
    if isinstance(message, Message):
        return None
    return 1 if isinstance(message, MessageV1) else 0


def _balance_json(balance: TokenBalance) -> dict[str, Any]:
    return {
        "accountIndex": balance.account_index,
        "mint": str(balance.mint),
        "owner": str(balance.owner),
        "programId": str(balance.token_program),
        "uiTokenAmount": ui_amount(balance.amount, balance.decimals),
    }


def _inner_json(record: TransactionRecord, inner: InnerInstruction, *, parsed: bool) -> dict[str, Any]:
    if parsed:
        return instruction_json(inner.program_id, inner.accounts, inner.data, stack_height=inner.stack_height)
    index = {key: place for place, key in reversed(list(enumerate(record.account_keys)))}
    return {
        "programIdIndex": index[inner.program_id],
        "accounts": [index[key] for key in inner.accounts],
        "data": encode_base58(inner.data),
        "stackHeight": inner.stack_height,
    }


def inner_instructions_json(record: TransactionRecord, *, parsed: bool) -> list[dict[str, Any]]:
    """The CPIs of each top-level instruction that made any."""
    return [
        {"index": index, "instructions": [_inner_json(record, inner, parsed=parsed) for inner in calls]}
        for index, calls in record.inner_instructions
    ]


def return_data_json(record: TransactionRecord) -> dict[str, Any] | None:
    """What the last program to set return data left, or None."""
    if record.return_data is None:
        return None
    program, data = record.return_data
    return {"programId": str(program), "data": [base64.b64encode(data).decode(), "base64"]}


def loaded_addresses_json(record: TransactionRecord) -> dict[str, list[str]]:
    """The keys that came out of lookup tables."""
    return {
        "writable": [str(key) for key in record.loaded_writable],
        "readonly": [str(key) for key in record.loaded_readonly],
    }


def balances_json(record: TransactionRecord) -> dict[str, Any]:
    """Lamports and tokens before and after, in the order of the account keys."""
    return {
        "preBalances": list(record.pre_balances),
        "postBalances": list(record.post_balances),
        "preTokenBalances": [_balance_json(balance) for balance in record.pre_token_balances],
        "postTokenBalances": [_balance_json(balance) for balance in record.post_token_balances],
    }


def status_json(record: TransactionRecord) -> dict[str, Any]:
    """The deprecated Result form beside ``err``."""
    return {"Ok": None} if record.err is None else {"Err": record.err}


def meta_json(record: TransactionRecord, *, parsed: bool) -> dict[str, Any]:
    """The ``meta`` member. The loaded addresses are left out of jsonParsed, whose account keys already hold them."""
    meta: dict[str, Any] = {
        "err": record.err,
        "status": status_json(record),
        "fee": record.fee,
        **balances_json(record),
        "innerInstructions": inner_instructions_json(record, parsed=parsed),
        "logMessages": list(record.logs),
        "rewards": [],
        "computeUnitsConsumed": record.compute_units,
    }
    if not parsed:
        meta["loadedAddresses"] = loaded_addresses_json(record)
    returned = return_data_json(record)
    if returned is not None:
        meta["returnData"] = returned
    return meta


def account_keys_json(record: TransactionRecord) -> list[dict[str, Any]]:
    """The parsed form of every account key, those of lookup tables included."""
    header = record.transaction.message.header
    static = len(record.transaction.message.account_keys)
    signers = header.num_required_signatures
    shown: list[dict[str, Any]] = []
    for place, key in enumerate(record.account_keys):
        if place >= static:
            writable, source = place < static + len(record.loaded_writable), "lookupTable"
        else:
            last = signers - header.num_readonly_signed_accounts
            if place >= signers:
                last = static - header.num_readonly_unsigned_accounts
            writable, source = place < last, "transaction"
        shown.append({"pubkey": str(key), "signer": place < signers, "writable": writable, "source": source})
    return shown


def _lookups_json(message: MessageV0) -> list[dict[str, Any]]:
    return [
        {
            "accountKey": str(lookup.account_key),
            "writableIndexes": list(bytes(lookup.writable_indexes)),
            "readonlyIndexes": list(bytes(lookup.readonly_indexes)),
        }
        for lookup in message.address_table_lookups
    ]


def _config_json(message: MessageV1) -> dict[str, Any]:
    config = message.config
    return {
        "computeUnitLimit": config.compute_unit_limit,
        "heapSize": config.heap_size,
        "loadedAccountsDataSizeLimit": config.loaded_accounts_data_size_limit,
        "priorityFee": config.priority_fee,
    }


def message_json(record: TransactionRecord, *, parsed: bool) -> dict[str, Any]:
    """The ``message`` member in json or jsonParsed."""
    message = record.transaction.message
    keys = record.account_keys
    body: dict[str, Any] = {"recentBlockhash": str(message.recent_blockhash)}
    if parsed:
        body["accountKeys"] = account_keys_json(record)
        body["instructions"] = [
            instruction_json(
                keys[item.program_id_index],
                [keys[index] for index in bytes(item.accounts)],
                bytes(item.data),
                stack_height=_TOP_LEVEL,
            )
            for item in message.instructions
        ]
    else:
        header = message.header
        body["header"] = {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        }
        body["accountKeys"] = [str(key) for key in message.account_keys]
        body["instructions"] = [
            {
                "programIdIndex": item.program_id_index,
                "accounts": list(bytes(item.accounts)),
                "data": encode_base58(bytes(item.data)),
                "stackHeight": _TOP_LEVEL,
            }
            for item in message.instructions
        ]
    if isinstance(message, MessageV0):
        body["addressTableLookups"] = _lookups_json(message)
    if isinstance(message, MessageV1):
        body["transactionConfig"] = _config_json(message)
    return body


def transaction_json(record: TransactionRecord, encoding: str) -> Any:
    """The ``transaction`` member: an object, ``[data, encoding]``, or for "binary" the bare base58 text."""
    if encoding in ("json", "jsonParsed"):
        return {
            "signatures": [str(signature) for signature in record.transaction.signatures],
            "message": message_json(record, parsed=encoding == "jsonParsed"),
        }
    wire = bytes(record.transaction)
    if encoding == "base64":
        return [base64.b64encode(wire).decode(), "base64"]
    text = encode_base58(wire)
    return text if encoding == "binary" else [text, "base58"]


def encoded_transaction(record: TransactionRecord, encoding: str, max_version: int | None) -> dict[str, Any]:
    """``transaction``, ``meta`` and ``version``; -32015 where the caller does not understand the version."""
    body = {
        "transaction": transaction_json(record, encoding),
        "meta": meta_json(record, parsed=encoding == "jsonParsed"),
    }
    return body | version_json(record, max_version)


def version_json(record: TransactionRecord, max_version: int | None) -> dict[str, Any]:
    """``version``, only for a caller that named the versions it understands."""
    version = version_of(record.transaction)
    if version is not None and (max_version is None or version > max_version):
        raise unsupported_version(version)
    if max_version is None:
        return {}
    return {"version": "legacy" if version is None else version}
