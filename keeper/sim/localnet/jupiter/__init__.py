"""A Jupiter-shaped HTTP face over the localnet's pools."""

from keeper.sim.localnet.jupiter.access import Access, SlidingWindow
from keeper.sim.localnet.jupiter.face import JupiterFace

__all__ = ["Access", "JupiterFace", "SlidingWindow"]
