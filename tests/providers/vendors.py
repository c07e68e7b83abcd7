"""Each vendor's simulator and the live maker that asks it, over its wire and without a socket."""

from dataclasses import dataclass
from typing import Final, Literal

from httpx2 import ASGITransport

from mutualaid.kit import clock as kit_clock
from mutualaid.kit.database import Database
from mutualaid.providers.numbers import NumbersMaker
from mutualaid.providers.numbers.aliyun import Aliyun
from mutualaid.providers.numbers.huawei import Huawei
from mutualaid.providers.numbers.huawei_x import HuaweiX
from mutualaid.providers.numbers.ledger import Ledger
from mutualaid.providers.numbers.signing import Account
from mutualaid.providers.numbers.simulators import aliyun, huawei, tencent
from mutualaid.providers.numbers.simulators.controls import Vendor
from mutualaid.providers.numbers.simulators.switchboard import Switchboard
from mutualaid.providers.numbers.tencent import Tencent
from mutualaid.providers.numbers.wire import Wire
from tests.moments import Clock
from tests.providers.promise_numbers import NumbersStage

VendorName = Literal["aliyun", "tencent", "huawei", "huawei_axe", "huawei_x"]
ACCOUNT: Final = Account("the-key", "the-secret")
TOKEN: Final = "the-push-token"
GROUP: Final = "FC100000000000001"
NUMBERS: Final = tuple(f"+861700000{n:04d}" for n in range(1, 4))
HOOK: Final = "http://platform/hooks/numbers/{}/events"
_BASE: Final = "http://vendor:8009"


@dataclass
class VendorStage(NumbersStage):
    """The stage of the promise with the vendor behind it."""

    vendor: Vendor


def simulated(name: VendorName, *, pairs_per_x: int = 200) -> Vendor:
    board = Switchboard(NUMBERS, kit_clock.now, pairs_per_x=pairs_per_x, hook=HOOK.format(name.partition("_")[0]))
    if name == "aliyun":
        board.hook += f"?token={TOKEN}"
        return aliyun.Aliyun(board, ACCOUNT, pool_key=GROUP)
    if name == "tencent":
        board.hook += f"?token={TOKEN}"
        return tencent.Tencent(board, ACCOUNT, app_id=GROUP)
    mode: Literal["axb", "axe", "x"] = "axe" if name == "huawei_axe" else "x" if name == "huawei_x" else "axb"
    return huawei.Huawei(board, ACCOUNT, mode=mode)


def live(name: VendorName, vendor: Vendor, database: Database, *, account: Account = ACCOUNT) -> NumbersMaker:
    """The maker as wiring makes it, its requests handed to the simulator."""
    if name == "huawei_x":
        return HuaweiX(account, pool=NUMBERS, now=kit_clock.now)
    transport = ASGITransport(vendor.app())
    if name == "aliyun":
        wire, ledger = Wire("aliyun", _BASE, transport=transport), Ledger(database, "aliyun")
        return Aliyun(wire, ledger, account, pool_key=GROUP, pool=NUMBERS, push_token=TOKEN, now=kit_clock.now)
    if name == "tencent":
        wire, ledger = Wire("tencent", _BASE, transport=transport), Ledger(database, "tencent")
        return Tencent(wire, ledger, account, app_id=GROUP, pool=NUMBERS, push_token=TOKEN, now=kit_clock.now)
    wire, ledger = Wire("huawei", _BASE, transport=transport), Ledger(database, "huawei")
    mode: Literal["axb", "axe"] = "axe" if name == "huawei_axe" else "axb"
    return Huawei(wire, ledger, account, mode=mode, pool=NUMBERS, now=kit_clock.now)


def staged(name: VendorName, database: Database, clock: Clock) -> VendorStage:
    vendor = simulated(name)

    async def count() -> int:
        return len(vendor.board.live())

    def fail_next(told: str) -> None:
        vendor.board.faults.append(told)  # type: ignore[arg-type] # the promise's names are the simulator's

    # An unreported A is bound, and its calls are intercepted: no vendor says so at the bind.
    return VendorStage(
        live(name, vendor, database), clock.set, fail_next, count, vendor, never=frozenset({"not_reported"})
    )
