"""What a column holds of a person, declared on the column: `mapped_column(info=SEALED)`. A test refuses undeclared ones."""

from typing import Final

SEALED: Final = {"privacy": "sealed"}  # AEAD under the data key of the member it belongs to
LOOKUP: Final = {"privacy": "lookup"}  # an HMAC
CLEAR: Final = {"privacy": "clear"}  # readable by design: scrubbed or masked before it is stored
