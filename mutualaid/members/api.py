"""The API's doors of this room, in one table."""

from mutualaid.kit.endpoints import Endpoint
from mutualaid.members import api_me, api_sessions

ENDPOINTS: tuple[Endpoint, ...] = (*api_sessions.ENDPOINTS, *api_me.ENDPOINTS)
