"""Strategies on paper: seeded market paths, a market that fills plans at their worst, and campaigns over many of both."""
