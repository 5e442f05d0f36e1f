"""Simulating, sending and pricing transactions."""

from __future__ import annotations

from typing import Any

from solders.message import MessageV1, from_bytes_versioned
from solders.pubkey import Pubkey

from keeper.sim.localnet.fees import decode_budget, decode_budget_v1
from keeper.sim.localnet.interface import TransactionRecord, TransactionRejected
from keeper.sim.localnet.rpc.account_data import ENCODINGS, AccountForm, account_json
from keeper.sim.localnet.rpc.errors import (
    INTERNAL_ERROR,
    RpcError,
    invalid_params,
    preflight_failure,
    signature_verification_failure,
)
from keeper.sim.localnet.rpc.node import Method, Node
from keeper.sim.localnet.rpc.params import Config, Params, as_integer, as_list, as_pubkey, decode_base64, wrong_type
from keeper.sim.localnet.rpc.sending import decode_transaction
from keeper.sim.localnet.rpc.transaction_data import (
    balances_json,
    inner_instructions_json,
    loaded_addresses_json,
    return_data_json,
)

MAX_FEE_ACCOUNTS = 128
WIRE_ENCODINGS = ("binary", "base58", "base64", "base64+zstd", "json", "jsonParsed")
_DEFAULT_WIRE = "base58"


def _wire_encoding(config: Config) -> str:
    return config.choice("encoding", WIRE_ENCODINGS, _DEFAULT_WIRE)


def _signatures_hold(transaction: Any) -> bool:
    return all(transaction.verify_with_results())


def _simulation_json(
    node: Node,
    record: TransactionRecord,
    *,
    accounts: list[dict[str, Any] | None] | None,
    inner: bool,
    replacement: dict[str, Any] | None,
) -> dict[str, Any]:
    """``value`` of simulateTransaction. ``loadedAccountsDataSize`` counts the data of every account key."""
    held = [node.bank.get_account(key) for key in record.account_keys]
    return {
        "accounts": accounts,
        "err": record.err,
        "fee": record.fee,
        "innerInstructions": inner_instructions_json(record, parsed=True) if inner else None,
        "loadedAccountsDataSize": sum(len(account.data) for account in held if account is not None),
        "loadedAddresses": loaded_addresses_json(record),
        "logs": list(record.logs),
        **balances_json(record),
        "replacementBlockhash": replacement,
        "returnData": return_data_json(record),
        "unitsConsumed": record.compute_units,
    }


def _wanted_accounts(config: Config, most: int) -> tuple[list[Pubkey], AccountForm] | None:
    """The ``accounts`` member: whose state after the simulation the caller wants, and in what encoding."""
    given = config.get("accounts")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise wrong_type(given, "struct RpcSimulateTransactionAccountsConfig")
    encoding = Config(given).choice("encoding", ENCODINGS, "base64")
    if encoding in ("binary", "base58"):
        raise invalid_params("base58 encoding not supported")
    addresses = as_list(given.get("addresses", []))
    if len(addresses) > most:
        raise invalid_params(f"Too many accounts provided; max {most}")
    return [as_pubkey(address) for address in addresses], AccountForm(encoding)


def _account_after(node: Node, record: TransactionRecord, key: Pubkey, form: AccountForm) -> dict[str, Any] | None:
    account = record.post_accounts[key] if key in record.post_accounts else node.bank.get_account(key)
    if account is None or (account.lamports == 0 and not account.data):
        return None
    return account_json(node.bank, account, form)


def simulate_transaction(node: Node, params: Params) -> dict[str, Any]:
    """Run a transaction without keeping it."""
    text, config = params.text(0), params.config(1)
    encoding = _wire_encoding(config)
    verify, replace = config.boolean("sigVerify"), config.boolean("replaceRecentBlockhash")
    transaction = decode_transaction(text, encoding, partial=not verify)
    if verify and replace:
        raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
    context = node.heads.context(config)
    if verify and not _signatures_hold(transaction):
        raise signature_verification_failure()
    # The most accounts one may ask for is what the transaction itself can name.
    loaded = sum(
        len(bytes(lookup.writable_indexes)) + len(bytes(lookup.readonly_indexes))
        for lookup in getattr(transaction.message, "address_table_lookups", [])
    )
    wanted = _wanted_accounts(config, len(transaction.message.account_keys) + loaded)
    record = node.bank.simulate(transaction, sig_verify=False, replace_blockhash=replace)
    replacement = None
    if replace:
        blockhash, last_valid = node.bank.latest_blockhash()
        replacement = {"blockhash": str(blockhash), "lastValidBlockHeight": last_valid}
    accounts: list[dict[str, Any] | None] | None = None
    if wanted is not None:
        keys, form = wanted
        accounts = [None if record.err is not None else _account_after(node, record, key, form) for key in keys]
    value = _simulation_json(
        node, record, accounts=accounts, inner=config.boolean("innerInstructions"), replacement=replacement
    )
    return {"context": context, "value": value}


def send_transaction(node: Node, params: Params) -> str:
    """Check (unless skipPreflight) and hand to the bank; the answer is the signature, which promises nothing."""
    text, config = params.text(0), params.config(1)
    encoding = _wire_encoding(config)
    skip_preflight = config.boolean("skipPreflight")
    if config.get("maxRetries") is not None:
        as_integer(config.get("maxRetries"), expected="usize")
    transaction = decode_transaction(text, encoding)
    node.heads.check(config, commitment_name="preflightCommitment")
    if not skip_preflight:
        if not _signatures_hold(transaction):
            raise signature_verification_failure()
        record = node.bank.simulate(transaction)
        if record.err is not None:
            simulation = _simulation_json(node, record, accounts=None, inner=False, replacement=None)
            raise preflight_failure(record.err, simulation)
    node.sender.submit(transaction)
    return str(transaction.signatures[0])


def request_airdrop(node: Node, params: Params) -> str:
    """Lamports from the faucet, landed in the current slot."""
    key, lamports = params.pubkey(0), params.integer(1)
    try:
        return str(node.bank.airdrop(key, lamports))
    except TransactionRejected as refusal:
        raise RpcError(INTERNAL_ERROR, f"Internal error: airdrop refused: {refusal}") from refusal


def get_fee_for_message(node: Node, params: Params) -> dict[str, Any]:
    """Lamports that a base64 message would pay; null when its blockhash is dead."""
    text, config = params.text(0), params.config(1)
    wire = decode_base64(text)
    try:
        message = from_bytes_versioned(wire)
    except Exception as error:
        raise invalid_params(f"failed to deserialize solana_message::versions::VersionedMessage: {error}") from error
    context = node.heads.context(config)
    if not node.bank.blockhash_valid(message.recent_blockhash):
        return {"context": context, "value": None}
    try:
        if isinstance(message, MessageV1):
            budget = decode_budget_v1(message)
        else:
            keys = message.account_keys
            budget = decode_budget([(keys[item.program_id_index], bytes(item.data)) for item in message.instructions])
    except TransactionRejected:
        # agave's fee of a message with a malformed compute budget: the signatures alone are charged nothing, it cannot land.
        return {"context": context, "value": None}
    return {"context": context, "value": budget.fee(message.header.num_required_signatures)}


def get_recent_prioritization_fees(node: Node, params: Params) -> list[dict[str, int]]:
    """The lowest landed compute-unit price per slot for those writable accounts, in micro-lamports."""
    keys = [] if params.optional(0) is None else params.pubkeys(0, maximum=MAX_FEE_ACCOUNTS)
    return [{"slot": slot, "prioritizationFee": fee} for slot, fee in node.bank.recent_fees(keys)]


TRANSACTION_METHODS: dict[str, Method] = {
    "simulateTransaction": simulate_transaction,
    "sendTransaction": send_transaction,
    "requestAirdrop": request_airdrop,
    "getFeeForMessage": get_fee_for_message,
    "getRecentPrioritizationFees": get_recent_prioritization_fees,
}
