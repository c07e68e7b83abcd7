"""The plaza measured beside what it is compared with; see `benching`."""

import sys

from benching.command import main

if __name__ == "__main__":
    sys.exit(main())
