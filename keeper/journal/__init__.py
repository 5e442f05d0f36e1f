"""The durable store: intents, attempts, ledger and leadership, who owns what, the operator's orders, and the rates of the past.

What it holds survives kill -9 at any instruction.
"""
