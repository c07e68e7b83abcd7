"""Chooses the maker of masked numbers by the settings, and closes what it opened."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal

from mutualaid.kit import clock
from mutualaid.kit.database import Database
from mutualaid.kit.phones import Phone
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.settings import PREFIX, Settings, SettingsRefused
from mutualaid.providers.numbers import NumbersMaker
from mutualaid.providers.numbers import aliyun as ali
from mutualaid.providers.numbers import huawei as hw
from mutualaid.providers.numbers import huawei_x as hwx
from mutualaid.providers.numbers import tencent as tc
from mutualaid.providers.numbers.fake import FakeNumbers
from mutualaid.providers.numbers.kamailio import KamailioNumbers
from mutualaid.providers.numbers.ledger import Ledger
from mutualaid.providers.numbers.pushes import address_token
from mutualaid.providers.numbers.signing import Account
from mutualaid.providers.numbers.wire import Wire
from mutualaid.providers.numbers.words import WordsOnly

ENDPOINTS: Final = {"aliyun": ali.ENDPOINT, "tencent": tc.ENDPOINT, "huawei": hw.ENDPOINT}
_BY_ADDRESS: Final = ("aliyun", "tencent")  # vendors whose pushes prove nothing: their address holds a secret


@asynccontextmanager
async def open_maker(
    settings: Settings, database: Database, ring: KeyRing, hook_token: str
) -> AsyncIterator[NumbersMaker]:
    """Raises `SettingsRefused` where the file of numbers cannot be used."""
    if settings.numbers == "words":
        yield WordsOnly()
    elif settings.numbers == "fake":
        yield FakeNumbers(
            database,
            ring,
            settings.outbox_dir,
            pool=settings.numbers_pool,
            modes=settings.number_modes,
            hook_token=hook_token,
        )
    elif settings.numbers == "kamailio":
        control = f"http://{settings.telephony_control}"
        yield KamailioNumbers(read_numbers(settings.numbers_file), control=control, token=hook_token)
    else:
        wire = Wire(settings.numbers, settings.numbers_url or ENDPOINTS[settings.numbers])
        try:
            yield _vendor(settings, wire, Ledger(database, settings.numbers), hook_token)
        finally:
            await wire.close()


def _vendor(settings: Settings, wire: Wire, ledger: Ledger, hook_token: str) -> NumbersMaker:
    account = Account(settings.numbers_key, settings.numbers_secret)
    pool = read_numbers(settings.numbers_file)
    most = settings.numbers_pairs
    token = address_token(hook_token, settings.numbers)
    if settings.numbers == "aliyun":
        return ali.Aliyun(
            wire,
            ledger,
            account,
            pool_key=settings.numbers_account,
            pool=pool,
            push_token=token,
            now=clock.now,
            pairs_per_x=most or ali.PAIRS_PER_X,
        )
    if settings.numbers == "tencent":
        return tc.Tencent(
            wire,
            ledger,
            account,
            app_id=settings.numbers_account,
            pool=pool,
            push_token=token,
            now=clock.now,
            hook=hook_address(settings, hook_token) if settings.numbers_hook else None,
            pairs_per_x=most or tc.PAIRS_PER_X,
        )
    if "x" in settings.number_modes:
        return hwx.HuaweiX(account, pool=pool, now=clock.now, pairs_per_x=most or hwx.PAIRS_PER_X)
    mode: Literal["axb", "axe"] = "axe" if "axe" in settings.number_modes else "axb"
    return hw.Huawei(wire, ledger, account, mode=mode, pool=pool, now=clock.now, pairs_per_x=most or None)


def hook_address(settings: Settings, hook_token: str) -> str:
    """Where the vendor is to push what became of calls, and to ask before them."""
    door = f"{settings.numbers_hook.rstrip('/')}/hooks/numbers/{settings.numbers}/events"
    if settings.numbers in _BY_ADDRESS:
        return f"{door}?token={address_token(hook_token, settings.numbers)}"
    return door


def read_numbers(file: Path | None) -> tuple[str, ...]:
    """Our numbers at the vendor, one E.164 a line; empty lines and what follows `#` count for nothing."""
    name = f"{PREFIX}NUMBERS_FILE"
    if file is None:
        raise SettingsRefused(f"{name}: this maker needs it")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as problem:
        raise SettingsRefused(f"{name}: {type(problem).__name__}") from None
    found: dict[str, None] = {}
    for n, line in enumerate(lines, 1):
        if written := line.partition("#")[0].strip():
            try:
                found[Phone(written).e164] = None
            except ValueError:
                raise SettingsRefused(f"{name}: line {n} is no number in E.164") from None
    if not found:
        raise SettingsRefused(f"{name}: there is no number in it")
    return tuple(found)
