"""Floor 2: the world outside, each part behind a promise.

A provider is a package. Its `__init__` is the promise: a Protocol, neutral result types and errors, no vendor's word
in it. Each maker (a vendor, an honest maker without a vendor, the fake that ships) is a module beside it. Rooms see
promises only; `wiring` chooses makers. Providers are strangers to each other and know no room and no table.
"""
