"""Runs in the jupiter-python-sdk's own environment: quotes and swaps, sends with the old solana client it pins, and writes
what it got as JSON. The SDK is imported by name, because the keeper's environment (where types are checked) lacks it."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import sys
from typing import Any

from solana.rpc.async_api import AsyncClient
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction


async def main(given: dict[str, Any]) -> dict[str, Any]:
    sdk = importlib.import_module("jupiter_python_sdk.jupiter")
    signer = Keypair.from_bytes(bytes(given["signer"]))
    async with AsyncClient(given["rpc"]) as client:
        quote_url, swap_url = given["api"] + "/swap/v1/quote?", given["api"] + "/swap/v1/swap"
        jupiter = sdk.Jupiter(client, signer, quote_api_url=quote_url, swap_api_url=swap_url)
        asked = {"input_mint": given["input"], "output_mint": given["output"], "amount": given["amount"]}
        quote = await jupiter.quote(**asked, slippage_bps=50)
        wire = await jupiter.swap(**asked, slippage_bps=50)
        refusal = None
        try:
            await jupiter.quote(given["input"], given["input"], 1)
        except Exception as error:  # noqa: BLE001 - the SDK raises nothing narrower
            refusal = str(error)
        unsigned = VersionedTransaction.from_bytes(base64.b64decode(wire))
        signed = VersionedTransaction(unsigned.message, [signer])
        sent = await client.send_raw_transaction(bytes(signed))
    return {"quote": quote, "signature": str(sent.value), "refusal": refusal}


sys.stdout.write(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
