"""glow-keeper: a keeper for glowSOL. The map of the packages is docs/architecture.md."""
