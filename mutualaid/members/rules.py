"""What holds for members, as arithmetic: one-time codes, how long things last, and the name that neighbours see."""

import hashlib
import hmac
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

Role = Literal["member", "moderator", "vendor", "admin"]
RealName = Literal["none", "checked", "vouched"]

ROLES: Final[tuple[Role, ...]] = ("member", "moderator", "vendor", "admin")
STAFF: Final = frozenset(["moderator", "admin"])

CODE_DIGITS: Final = 6
CODE_LASTS: Final = timedelta(minutes=10)
CODE_TRIES: Final = 5

SESSION_IDLE: Final = timedelta(days=14)
SESSION_LASTS: Final = timedelta(days=90)
SESSIONS_EACH: Final = 20  # a member's oldest session ends when one more begins
SEEN_EVERY: Final = timedelta(hours=1)  # how often a session in use writes that it was used
FRESH: Final = timedelta(minutes=10)  # a session this young counts as stepped up

REAL_NAME_TRIES: Final = 5  # a day (Shanghai) and member
SAME_HOME_M: Final = 300  # metres: a point this near to an anchor is that home again

_JOINING: Final = frozenset("·•・.-'’ ")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP_UP_STAFF: Final = timedelta(hours=8)
_STEP_UP: Final = timedelta(minutes=10)

# The two-character surnames in use; any other name shows its first character.
_PAIRS: Final = (
    "欧阳太史端木上官司马东方独孤南宫万俟闻人夏侯诸葛尉迟公羊赫连澹台皇甫宗政濮阳公冶太叔申屠公孙慕容仲孙"
    "钟离长孙宇文司徒鲜于司空闾丘子车亓官司寇巫马公西颛孙壤驷公良漆雕乐正宰父谷梁拓跋夹谷轩辕令狐段干百里"
    "呼延东郭南门羊舌微生梁丘左丘东门西门南荣第五歐陽諸葛東方南宮司馬軒轅鍾離長孫獨孤聞人尉遲公孫赫連鮮于"
)
_COMPOUND: Final = frozenset(_PAIRS[i : i + 2] for i in range(0, len(_PAIRS), 2))


def code_of(key: bytes, challenge: str) -> str:
    """The six digits of a challenge: derived, so that nothing has to keep them. 256 bits modulo 10^6 hide no bias."""
    mac = hmac.digest(key, b"code\0" + challenge.encode(), hashlib.sha256)
    return str(int.from_bytes(mac, "big") % 10**CODE_DIGITS).zfill(CODE_DIGITS)


def code_fits(key: bytes, challenge: str, given: str) -> bool:
    """Whether these are the challenge's digits, in a time that does not tell how many of them are right."""
    return hmac.compare_digest(code_of(key, challenge).encode(), given.encode())


def neighbour_name(member_id: str) -> str:
    """What a member is called before the real-name check: `邻居` and four digits that say nothing."""
    return "邻居" + hashlib.sha256(member_id.encode()).hexdigest()[:4]


def masked_name(legal_name: str) -> str:
    """The surname and two stars, whatever the length: `王**`, `欧阳**`; else the first character."""
    name = legal_name.strip()
    surname = name[:2] if len(name) > 2 and name[:2] in _COMPOUND else name[:1]
    return surname + "**"


def session_ends(ends_at: datetime, last_seen_at: datetime) -> datetime:
    """When a session ends if it is not used again: too old, or too long unused."""
    return min(ends_at, last_seen_at + SESSION_IDLE)


def step_up_lasts(role: str) -> timedelta:
    """How long a step-up counts: a working day for staff, one deed's time for others."""
    return _STEP_UP_STAFF if role in STAFF else _STEP_UP


def could_be_a_name(name: str) -> bool:
    """Letters of any script, and what joins them in names (`阿布都·热合曼`, `O'Brien`): no digits, no signs."""
    return any(c.isalpha() for c in name) and all(c in _JOINING or unicodedata.category(c)[0] in "LM" for c in name)


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970: how a cursor carries a moment exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(micros: int) -> datetime:
    """The moment that `micros_of` was given."""
    return _EPOCH + timedelta(microseconds=micros)
