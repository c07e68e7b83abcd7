"""What a door or a job is handed: the kit's open things and the providers' promises. `wiring.open_services` fills it."""

from dataclasses import dataclass, field

from starlette.requests import Request

from mutualaid.kit.bells import Bells
from mutualaid.kit.cache import Cache
from mutualaid.kit.database import Database
from mutualaid.kit.keystore import KeyStore
from mutualaid.kit.limits import Limiter
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.settings import Settings
from mutualaid.providers.content import ContentMaker
from mutualaid.providers.geocoding import GeocodingMaker
from mutualaid.providers.numbers import NumbersMaker
from mutualaid.providers.realname import RealnameMaker
from mutualaid.providers.sms import SmsMaker
from mutualaid.providers.wechat import WechatMaker


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that is opened once a process. `hook_token`: what the numbers provider shows at the route hook."""

    settings: Settings
    database: Database
    ring: KeyRing
    keys: KeyStore
    cache: Cache
    limits: Limiter
    bells: Bells
    sms: SmsMaker
    wechat: WechatMaker
    realname: RealnameMaker
    geocoding: GeocodingMaker
    content: ContentMaker
    numbers: NumbersMaker
    hook_token: str = field(repr=False)


def of(request: Request) -> Services:
    """The services of the process that answers this request."""
    services: Services = request.state.services
    return services
