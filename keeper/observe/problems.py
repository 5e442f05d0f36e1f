"""What can be wrong with a market before anything is traded on it."""


class DiscoveryError(Exception):
    """The market is not on this cluster as configured. The message names the account and what to do."""
