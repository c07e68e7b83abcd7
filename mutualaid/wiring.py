"""Opens what `Services` names, from the settings: the only module that knows every maker."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from mutualaid.kit import clock
from mutualaid.kit.bells import Bells
from mutualaid.kit.cache import open_cache
from mutualaid.kit.database import Database
from mutualaid.kit.keystore import KeyStore
from mutualaid.kit.limits import Limiter
from mutualaid.kit.ring import LOOKS_S, KeyRing, hook_token
from mutualaid.kit.settings import Settings, SettingsRefused
from mutualaid.providers.content.fake import FakeContent
from mutualaid.providers.content.wordlist import Wordlist
from mutualaid.providers.geocoding.district import District
from mutualaid.providers.geocoding.fake import FakeGeocoding
from mutualaid.providers.numbers.making import open_maker
from mutualaid.providers.realname.appointment import Appointment
from mutualaid.providers.realname.fake import FakeRealname
from mutualaid.providers.sms.fake import FakeSms
from mutualaid.providers.wechat.fake import FakeWechat
from mutualaid.providers.wechat.off import WechatOff
from mutualaid.services import Services

Make = Callable[[Settings], Any]

MAKERS: dict[str, dict[str, Make]] = {
    "sms": {"fake": lambda s: FakeSms(s.outbox_dir)},
    "wechat": {"fake": lambda s: FakeWechat(s.outbox_dir), "off": lambda _: WechatOff()},
    "realname": {"fake": lambda s: FakeRealname(s.outbox_dir), "appointment": lambda _: Appointment()},
    "geocoding": {"fake": lambda s: FakeGeocoding(s.outbox_dir), "district": lambda _: District()},
    "content": {"fake": lambda s: FakeContent(s.outbox_dir), "wordlist": lambda _: Wordlist()},
}


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Everything a process needs, opened; closed again in reverse at the end of the block."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    clock.follow(settings.now_file)
    async with AsyncExitStack() as stack:
        ring = KeyRing.open(settings.keys_dir, looks_s=LOOKS_S)
        database = Database(settings.database_url, ring)
        stack.push_async_callback(database.close)
        if not settings.dev and (losing := await database.losing_settings()):
            raise SettingsRefused(f"prod refuses a PostgreSQL that can lose commits; turn on: {', '.join(losing)}")
        keys = await KeyStore.open(settings.keys_url, ring)
        stack.push_async_callback(keys.close)
        cache = await open_cache(settings.redis_url)
        stack.push_async_callback(cache.close)
        bells = Bells(cache)
        stack.push_async_callback(bells.close)
        database.on_commit = bells.ring
        makers = {provider: MAKERS[provider][getattr(settings, provider)](settings) for provider in MAKERS}
        token = hook_token(settings.keys_dir)
        numbers = await stack.enter_async_context(open_maker(settings, database, ring, token))
        yield Services(
            settings=settings,
            database=database,
            ring=ring,
            keys=keys,
            cache=cache,
            limits=Limiter(cache, ring),
            bells=bells,
            numbers=numbers,
            hook_token=token,
            **makers,
        )
