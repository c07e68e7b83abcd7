"""One frozen object, read once: defaults < TOML file (`MUTUALAID_CONFIG`) < environment. An unknown name refuses to start."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mutualaid.kit import sockets

PREFIX = "MUTUALAID_"
CONFIG = PREFIX + "CONFIG"
MAKERS: Final = ("sms", "wechat", "numbers", "realname", "geocoding", "content")
PROD_DEFAULTS: Final = {"limits": "strict", "second_factor": True, "quiet_hours": "22:00-07:00", "crowd_k": 5}
_AT_HOME = r"\+[1-9][0-9]{6,14}=[0-9]{6}"
_VENDORS: Final = ("aliyun", "tencent", "huawei")  # of masked numbers
_HOUR = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_Address = Annotated[str, AfterValidator(sockets.address)]


class SettingsRefused(Exception):
    """The settings cannot be used; the message says which names and why, one a line."""


class Settings(BaseModel):
    """What an operator may choose. Each name carries the prefix `MUTUALAID_` in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: Literal["dev", "prod"] = Field("dev", description="`prod` refuses any fake maker and any non-durable setting")
    data: Path = Field(Path("var"), description="embedded database, keys, outboxes")
    database_url: str = Field("", repr=False, description="mutualaid.db in DATA, or postgresql+asyncpg://…")
    keys_url: str = Field(
        "",
        repr=False,
        description="keys.db in DATA, or another URL: wrapped data keys, apart from the database and its backups",
    )
    redis_url: str = Field("memory://", repr=False, description="memory://, redis://, rediss:// or redis+cluster://")

    sms: Literal["fake"] = Field("fake", description="maker of text messages")
    wechat: Literal["fake", "off"] = Field("fake", description="maker of WeChat sign-in and messages")
    numbers: Literal["fake", "words", "aliyun", "tencent", "huawei", "kamailio"] = Field(
        "fake", description="maker of masked numbers"
    )
    realname: Literal["fake", "appointment"] = Field("fake", description="maker of real-name checks")
    geocoding: Literal["fake", "district"] = Field("fake", description="maker of places from addresses")
    content: Literal["fake", "wordlist"] = Field("fake", description="maker of text checks")

    require_real_name: bool = Field(True, description="false: unverified members may post, and their posts say so")
    numbers_pool: int = Field(50, ge=1, le=9999, description="how many numbers the fake maker has")
    numbers_modes: Literal["axb", "axb,axe", "axe", "x"] = Field(
        "axb",
        description="of the fake axb or axb,axe; of huawei axb, axe or x, as its application is; x: it asks each time",
    )
    numbers_url: str = Field(
        "", description="where the vendor of masked numbers listens, or a simulator; its own address"
    )
    numbers_key: str = Field("", repr=False, description="the vendor's AccessKeyId, SecretId or app_key")
    numbers_secret: str = Field("", repr=False, description="the vendor's AccessKeySecret, SecretKey or app_secret")
    numbers_account: str = Field("", repr=False, description="aliyun: PoolKey; tencent: BizAppId")
    numbers_file: Path | None = Field(None, description="our numbers at the vendor: one E.164 a line")
    numbers_pairs: int = Field(
        0, ge=0, le=9999, description="pairs that one number carries at once; 0: what it documents"
    )
    numbers_hook: str = Field("", description="our address as the vendor reaches it, such as https://aid.example.org")
    telephony_listen: _Address = Field("127.0.0.1:5060", description="Kamailio: where phones and the trunk call")
    telephony_switchboard: _Address = Field("127.0.0.1:5070", description="the switchboard, behind it")
    telephony_control: _Address = Field(
        "127.0.0.1:5071", description="where the service tells the switchboard that a lease ended"
    )
    telephony_relay: _Address = Field("127.0.0.1:2223", description="rtpengine's control")
    telephony_media: Annotated[str, AfterValidator(sockets.ports)] = Field(
        "127.0.0.1:30000-40000", description="the relay's own address and ports, to which phones send their sound"
    )
    telephony_service: str = Field(
        "http://127.0.0.1:8000", pattern="^https?://[^/]+/?$", description="where the switchboard asks about calls"
    )
    telephony_trunk: Annotated[str, AfterValidator(sockets.address_or_none)] = Field(
        "", description="where calls go that no registered phone takes; unset is nowhere"
    )
    telephony_trusted: Annotated[str, AfterValidator(sockets.networks)] = Field(
        "",
        description="networks of the trunk, a.b.c.d/n,…: its word on who is calling is believed; others prove it by digest",
    )
    numbers_cities: str = Field(
        "",
        pattern=rf"^({_AT_HOME}(,{_AT_HOME})*)?$",
        description="where masked numbers are at home: +8617000000001=450100,… (a city's code); preferred there",
    )
    now_file: Path | None = Field(None, description="dev only: while the file exists its RFC 3339 content is the clock")
    limits: Literal["relaxed", "strict"] = Field(
        "relaxed", description="relaxed lifts limits per address, prefix, device and member's reads"
    )
    second_factor: bool = Field(False, description="TOTP for moderators and admins; not built yet, so without effect")
    quiet_hours: str = Field(
        "",
        pattern=f"^({_HOUR}-{_HOUR})?$",
        description="HH:MM-HH:MM Asia/Shanghai when masked calls rest; off is never",
    )
    crowd_k: int = Field(1, ge=1, le=1000, description="fewest members that a shown cell may stand for")

    plaza_member_hourly: int = Field(600, ge=1, description="plaza reads an hour and member")
    plaza_device_hourly: int = Field(400, ge=1, description="plaza reads an hour and device: one sign-in's session")
    plaza_address_hourly: int = Field(120, ge=1, description="signed-out plaza reads an hour and address")
    plaza_prefix_hourly: int = Field(1200, ge=1, description="plaza reads an hour and prefix (/24, /48)")
    plaza_index: Literal["auto", "off"] = Field(
        "auto", description="whether large plazas are held in memory where there is room"
    )
    codes_global_hourly: int = Field(5000, ge=1, description="one-time codes an hour, over all members")
    concurrency: int = Field(200, ge=1, description="requests under way at once, before new ones are turned away")

    @model_validator(mode="before")
    @classmethod
    def _defaults_by_env(cls, given: Any) -> Any:
        """`prod` has other defaults than `dev`; SQLite files lie in DATA."""
        values = dict(given)
        if values.get("env") == "prod":
            values = PROD_DEFAULTS | values
        if values.get("quiet_hours") == "off":
            values["quiet_hours"] = ""
        values["data"] = data = Path(values.get("data") or "var").absolute()
        values["database_url"] = values.get("database_url") or f"sqlite+aiosqlite:///{data / 'mutualaid.db'}"
        values["keys_url"] = values.get("keys_url") or f"sqlite+aiosqlite:///{data / 'keys.db'}"
        for name in ("now_file", "numbers_file"):
            values[name] = values.get(name) or None  # the empty path would be the working directory
        return values

    @model_validator(mode="after")
    def _prod_is_honest(self) -> "Settings":
        if self.env == "prod":
            if fakes := [PREFIX + name.upper() for name in MAKERS if getattr(self, name) == "fake"]:
                raise ValueError(f"prod refuses fake makers: {', '.join(fakes)}")
            if self.now_file is not None:
                raise ValueError(f"prod refuses {PREFIX}NOW_FILE")
        for name in ("database_url", "keys_url"):
            if not getattr(self, name).startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
                raise ValueError(f"{PREFIX}{name.upper()} must begin with sqlite+aiosqlite:// or postgresql+asyncpg://")
        self._vendor_is_whole()
        if self.keys_url == self.database_url:
            raise ValueError(f"{PREFIX}KEYS_URL must not be the database: its backups would hold the keys")
        return self

    def _vendor_is_whole(self) -> None:
        """What the chosen maker of masked numbers needs is there, and fits together."""
        modes = {"fake": ("axb", "axb,axe"), "huawei": ("axb", "axe", "x")}.get(self.numbers, ("axb",))
        if self.numbers_modes not in modes:
            raise ValueError(f"{PREFIX}NUMBERS_MODES: {self.numbers} takes {' or '.join(modes)}")
        if self.numbers == "kamailio" and self.numbers_file is None:
            raise ValueError(f"kamailio needs {PREFIX}NUMBERS_FILE")
        if self.numbers not in _VENDORS:
            return
        needed = ["numbers_key", "numbers_secret", "numbers_file"]
        needed += ["numbers_account"] if self.numbers != "huawei" else []
        if missing := [PREFIX + name.upper() for name in needed if not getattr(self, name)]:
            raise ValueError(f"{self.numbers} needs {', '.join(missing)}")
        for name in ("numbers_url", "numbers_hook"):
            address = getattr(self, name)
            if address and not address.startswith("https://" if self.env == "prod" else ("https://", "http://")):
                raise ValueError(f"{PREFIX}{name.upper()} must begin with https://")

    @property
    def dev(self) -> bool:
        return self.env == "dev"

    @property
    def number_modes(self) -> tuple[Literal["axb", "axe", "x"], ...]:
        by_name: dict[str, tuple[Literal["axb", "axe", "x"], ...]] = {
            "axb,axe": ("axb", "axe"),
            "axe": ("axe",),
            "x": ("x",),
        }
        return by_name.get(self.numbers_modes, ("axb",))

    @property
    def number_cities(self) -> dict[str, str]:
        """Our numbers' cities by number."""
        pairs = (pair.partition("=") for pair in self.numbers_cities.split(",") if pair)
        return {number: city for number, _, city in pairs}

    @property
    def keys_dir(self) -> Path:
        return self.data / "keys"

    @property
    def outbox_dir(self) -> Path:
        """Where the fake makers put what they would have sent."""
        return self.data / "outbox"

    @property
    def telephony_dir(self) -> Path:
        """The configurations of our own telephony, and the records that its switchboard has not handed over."""
        return self.data / "telephony"

    @property
    def audit_heads(self) -> Path:
        """The heads of the audit chain, outside the database."""
        return self.data / "audit-heads.jsonl"


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings from the environment and, where `MUTUALAID_CONFIG` names one, a TOML file of lower-case names."""
    values: dict[str, Any] = {}
    if path := environ.get(CONFIG):
        try:
            values.update(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError) as problem:  # no such file, no UTF-8, no TOML
            raise SettingsRefused(f"{CONFIG}: {problem}") from problem
    values.update(
        {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and name != CONFIG
        }
    )
    try:
        return Settings(**values)
    except ValidationError as problem:  # its own text repeats what was given, passwords in addresses included
        found = problem.errors(include_input=False, include_url=False)
        raise SettingsRefused("\n".join(map(_in_words, found))) from None


def _in_words(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return f"{PREFIX}{str(error['loc'][0]).upper()}: no such setting"
    said: str = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{'.'.join(map(str, error['loc'])).upper()}: {said}" if error["loc"] else said
