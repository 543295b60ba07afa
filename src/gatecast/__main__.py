"""``python -m gatecast`` is the command ``gatecast``, for the Python that runs it."""

import sys

from gatecast.cli import main

if __name__ == "__main__":
    sys.exit(main())
