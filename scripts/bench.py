"""The plaza, the matching, masked numbers (`contacts`) or how soon two are told of each other (`told`); see `benching`."""

import sys

from benching import command, contacts, telling

OWN = {"contacts": contacts.main, "told": telling.main}

if __name__ == "__main__":
    own = OWN.get(sys.argv[1]) if len(sys.argv) > 1 else None
    sys.exit(own(sys.argv[2:]) if own else command.main())
