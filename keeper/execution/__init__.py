"""Turning approved plans into transactions: compile, simulate, firewall, sign, land at most once, book, reconcile."""
