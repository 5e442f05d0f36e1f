"""Preparing a wallet for its market: what is missing, what that costs, and landing it. Closing it down again, too.

``ground`` reads the chain, ``missing`` and ``closing`` decide (pure), ``bundles`` makes transactions of that, with their cost,
``wall`` holds each against what was shown, and ``lander`` lands it as an attempt of the journal.
"""
