"""Makes a simulated vendor, and says by which settings the platform asks it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from mutualaid.kit.settings import PREFIX
from mutualaid.providers.numbers.pushes import address_token
from mutualaid.providers.numbers.signing import Account
from mutualaid.providers.numbers.simulators import aliyun, huawei, tencent
from mutualaid.providers.numbers.simulators.controls import Vendor
from mutualaid.providers.numbers.simulators.switchboard import Switchboard

VendorName = Literal["aliyun", "tencent", "huawei"]
ModeName = Literal["axb", "axe", "x"]
GROUP: Final = "FC100000000000001"
_FIRST: Final = 17_000_000_001


@dataclass(frozen=True, slots=True)
class Plan:
    """`platform`: where the platform listens; `hook_token`: of its keys, for vendors whose pushes prove nothing else."""

    vendor: VendorName
    platform: str
    hook_token: str = field(repr=False)
    mode: ModeName = "axb"
    numbers: int = 50
    pairs: int = 200

    @property
    def account(self) -> Account:
        return Account("simulated-key", "simulated-secret")

    @property
    def pool(self) -> tuple[str, ...]:
        return tuple(f"+86{_FIRST + n}" for n in range(self.numbers))

    @property
    def hook(self) -> str:
        door = f"{self.platform.rstrip('/')}/hooks/numbers/{self.vendor}/events"
        proven = self.vendor == "huawei"
        return door if proven else f"{door}?token={address_token(self.hook_token, self.vendor)}"


def make(plan: Plan, *, now: Callable[[], datetime]) -> Vendor:
    board = Switchboard(plan.pool, now, pairs_per_x=plan.pairs, hook=plan.hook)
    match plan.vendor:
        case "aliyun":
            return aliyun.Aliyun(board, plan.account, pool_key=GROUP)
        case "tencent":
            return tencent.Tencent(board, plan.account, app_id=GROUP)
        case "huawei":
            return huawei.Huawei(board, plan.account, mode=plan.mode)


def settings_for(plan: Plan, *, address: str, folder: Path) -> dict[str, str]:
    """What the platform is to be started with; writes the file of numbers into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "simulated-numbers.txt"
    file.write_text("".join(f"{number}\n" for number in plan.pool), encoding="utf-8")
    told = {
        "NUMBERS": plan.vendor,
        "NUMBERS_URL": address,
        "NUMBERS_KEY": plan.account.key,
        "NUMBERS_SECRET": plan.account.secret,
        "NUMBERS_FILE": str(file),
        "NUMBERS_MODES": plan.mode,
        "NUMBERS_HOOK": plan.platform,
    }
    if plan.vendor != "huawei":
        told["NUMBERS_ACCOUNT"] = GROUP
    return {PREFIX + name: value for name, value in told.items()}
