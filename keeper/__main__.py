"""``python -m keeper``: the same as the console script ``keeper``."""

import sys

from keeper.cli import main

if __name__ == "__main__":
    sys.exit(main())
