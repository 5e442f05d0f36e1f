"""Where the keeper meets the localnet: the demo over real sockets, and runs in virtual time that repeat byte for byte."""
