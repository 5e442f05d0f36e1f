"""The market in a box: a localnet to rehearse in, scenarios that move it, and a crowd that trades against us."""
