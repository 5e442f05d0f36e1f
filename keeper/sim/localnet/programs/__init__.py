"""Model programs of the localnet: one module a program, each with its own layouts, held against the facts."""
