"""From what somebody wrote about a place to the cell that everyone sees. Providers are asked before any transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mutualaid.kit import cells
from mutualaid.kit.coordinates import in_china_box, looks_swapped, to_wgs84
from mutualaid.kit.errors import FieldError, Invalid
from mutualaid.kit.geo import Point
from mutualaid.kit.plain import Plain
from mutualaid.kit.prepared import Put
from mutualaid.kit.sealing import DataKey
from mutualaid.kit.texts import N_
from mutualaid.members import anchors
from mutualaid.members.anchors import Decided
from mutualaid.members.footing import Footing
from mutualaid.posts.drafts import PlaceDraft, PostDraft
from mutualaid.posts.publishing import Shown
from mutualaid.regions import at_hand
from mutualaid.regions import store as regions
from mutualaid.regions.records import Region
from mutualaid.services import Services

_CELL_MAY_OVERLAP_M = (
    8000.0  # the centre of a resolution-6 cell may lie that far outside the border its members live in
)


@dataclass(frozen=True, slots=True)
class Placed:
    """A WGS-84 point, and whether it is somebody's own spot (then it becomes a home anchor) or only a district's."""

    point: Point
    exact: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """Where a post stands for its readers, with its district; and what is to be written so that it stays so."""

    where: Shown
    region: Region
    puts: tuple[Put, ...]


def place_errors(draft: PostDraft) -> Iterator[FieldError]:
    """Exactly one of `place` and `region` + `address`; inside China; lat and lng not exchanged."""
    if draft.place is None and draft.region is None and draft.address is None:
        yield FieldError("place", "required", N_("Please give a place, or a region with an address."))
    elif draft.place is not None and (draft.region is not None or draft.address is not None):
        yield FieldError("place", "place_twice", N_("Please give either a place or a region with an address."))
    elif draft.place is None and draft.region is None:
        yield FieldError("region", "required", N_("Please fill this in."))
    elif draft.place is None and draft.address is None:
        yield FieldError("address", "required", N_("Please fill this in."))
    if draft.place is not None and draft.place.lat is not None and draft.place.lng is not None:
        yield from box_errors("place.lat", draft.place.lat, draft.place.lng)


def box_errors(field: str, lat: float, lng: float) -> Iterator[FieldError]:
    """What can be said of a point without asking where the borders run."""
    if in_china_box(lat, lng):
        return
    if looks_swapped(lat, lng):
        yield FieldError(field, "lat_lng_swapped", N_("Latitude and longitude seem to be exchanged."))
    else:
        yield FieldError(field, "outside_china", N_("This place is not in China."))


async def locate(services: Services, draft: PostDraft) -> Placed | None:
    """The point that a draft speaks of; None where it says too little, or what `place_errors` has named.

    Asks the regions, and the geocoder for an address. Raises `Invalid`: a point outside every district, a region that
    does not exist or is no district, an address that is not found.
    """
    if draft.place is not None:
        return await _at(services, draft.place)
    if draft.region is None:
        return None
    async with services.database.reading() as session:
        region = await regions.require(session, draft.region, field="region")
    if not region.is_district:
        raise Invalid([FieldError("region", "region_not_district", N_("Please choose a district or county."))])
    if draft.address is None:
        return None
    found = await services.geocoding.geocode(region.code, region.path, draft.address, inner_point=region.inner)
    if found is None:
        raise Invalid([FieldError("address", "address_not_found", N_("This address was not found; please check it."))])
    return Placed(to_wgs84(found.lat, found.lng, found.crs), exact=found.exact)


async def _at(services: Services, place: PlaceDraft) -> Placed | None:
    if place.lat is None or place.lng is None or place.crs is None or not in_china_box(place.lat, place.lng):
        return None
    point = to_wgs84(place.lat, place.lng, place.crs)
    await at_hand.require_at(services.database, point, field="place.lat")
    return Placed(point, exact=True)


async def show(
    plain: Plain, placed: Placed, *, member: Footing, key: DataKey, services: Services, now: datetime
) -> Settled:
    """The cell that readers will see, by the member's home anchors, and the district of the cell's centre. `key`: the
    member's data key."""
    if placed.exact:
        crowd_k = services.settings.crowd_k
        keeps = "precise_location" in member.consents
        decided = await anchors.decide(plain, member, placed.point, key=key, crowd_k=crowd_k, now=now, keeps=keeps)
    else:
        decided = Decided(cells.cell_of(*placed.point))
    region = await at_hand.near_centre(services.database, plain, decided.cell, within_m=_CELL_MAY_OVERLAP_M)
    if region is None:
        raise Invalid([FieldError("place", "outside_china", N_("This place is not in China."))])
    return Settled(Shown(decided.cell, region.code), region, decided.puts)
