"""The localnet: a hybrid bank over LiteSVM with the faces of a Solana node and of Jupiter."""
