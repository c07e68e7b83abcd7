"""The pages of this room."""

from mutualaid.kit.endpoints import Endpoint

PAGES: tuple[Endpoint, ...] = ()
