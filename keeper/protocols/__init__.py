"""One module a program: account layouts, PDAs, instruction builders, exact integer quotes, errors by name."""
