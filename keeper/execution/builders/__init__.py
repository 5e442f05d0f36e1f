"""One module for each family of intents: an intent and what the chain says now, to instructions. Pure; no I/O."""
