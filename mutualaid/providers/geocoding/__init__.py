"""The promise of geocoding: a district and an address become a point."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from mutualaid.kit.outside import ProviderDown, Throttled

__all__ = ["Crs", "GeocodingMaker", "Place", "ProviderDown", "Throttled"]

Crs = Literal["wgs84", "gcj02", "bd09"]


@dataclass(frozen=True, slots=True)
class Place:
    """Degrees in the maker's own `crs`: the caller turns them into WGS-84. The point is not in the repr.

    `exact`: false where it only stands for the whole district, so that nobody takes it for a home.
    """

    lat: float = field(repr=False)
    lng: float = field(repr=False)
    crs: Crs
    exact: bool


class GeocodingMaker(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_fake(self) -> bool: ...

    async def geocode(
        self, region_code: str, region_path: str, address: str, *, inner_point: tuple[float, float]
    ) -> Place | None:
        """The address's place, or None where the vendor knows no such address.

        `region_code`: six digits of a district (GB/T 2260). `region_path`: its names from the province down, `/`
        between them. `inner_point`: (lat, lng) of a point inside that district in WGS-84, for makers that cannot see
        streets: providers know no room, so the caller brings it. Addresses are personal: no maker keeps or logs them.
        Raises Throttled, ProviderDown.
        """
        ...
