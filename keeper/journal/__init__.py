"""The durable store: intents, attempts, ledger and leadership. What it holds survives kill -9 at any instruction."""
