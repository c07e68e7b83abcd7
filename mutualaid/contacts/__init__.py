"""Masked numbers: two members reach each other for a while, and neither ever sees the other's number.

The truth about who may call whom is rows: a `Lease`, and two `Seat`s each (number, person), which are unique and alone
know quarantine. The numbers provider is told outside every transaction, keyed by the lease.

    api.py        the doors; hooks.py: the provider's doors; and the simulated call
    asking.py     ask: who may, which number, two seats — one transaction
    granting.py   the provider is told, then the lease becomes granted, if nobody moved it meanwhile
    ending.py     release, for whatever reason; what other rooms call when something of theirs ends
    issuing.py    an agreed match gets a contact, and words become a call when a number is free
    routing.py    may this caller reach anybody by this number now? One statement decides
"""
