"""Signing in, by a code sent to a phone or by WeChat. Whoever comes first time becomes a member."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit, sealing
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.ids import new_id
from mutualaid.kit.sealing import DataKey
from mutualaid.kit.texts import Language
from mutualaid.members import codes, own_phone, rules, sessions, store
from mutualaid.members.codes import Proof
from mutualaid.members.records import Member, SessionRow
from mutualaid.providers.wechat import WechatIdentity
from mutualaid.services import Services


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun. The token is told now and never again."""

    token: str = field(repr=False)
    session: SessionRow = field(repr=False)
    member: Member = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Newcomer:
    """Id and data key of a member who may be about to begin: the key is made before the transaction that needs it."""

    id: str
    key: DataKey


async def by_code(services: Services, challenge: str, code: str, *, language: Language, now: datetime) -> SignedIn:
    """Raises `CodeWrong` or `ChallengeEnded`. A phone that nobody has makes a member: only its holder learns so."""
    proof = await codes.prove(services, challenge, code, now=now)
    return await _enter(services, proof, language=language, now=now)


async def by_wechat(services: Services, wechat_code: str, *, language: Language, now: datetime) -> SignedIn:
    """Raises what the promise of WeChat raises. Members who came by WeChat have no phone until they add one."""
    identity = await services.wechat.login(wechat_code)
    return await _enter(services, identity, language=language, now=now)


async def _enter(services: Services, who: Proof | WechatIdentity, *, language: Language, now: datetime) -> SignedIn:
    kind, value = (store.PHONE, who.phone.e164) if isinstance(who, Proof) else (store.OPENID, who.openid)
    async with services.database.reading() as session:
        known = await store.find(session, kind, value)
    newcomer = await _newcomer(services) if known is None else None
    async with services.database.transaction() as session:
        if isinstance(who, Proof):
            await codes.spend(session, who)
        await store.take_turn(session, kind, value)
        member = await store.find(session, kind, value)
        if member is None:
            if newcomer is None:  # erased since we looked: nothing was spent, and the next try begins anew
                raise Overloaded(retry_after=1)
            member = await _join(session, newcomer, who, language=language, now=now)
        member.language = language
        channel = "phone" if isinstance(who, Proof) else "wechat"
        token, row = await sessions.begin(session, member.id, channel=channel, now=now)
    if newcomer is not None and member.id != newcomer.id:
        await services.keys.destroy(newcomer.id)  # two first sign-ins at once: the other one made the member
    return SignedIn(token, row, member)


async def _newcomer(services: Services) -> _Newcomer:
    member_id = new_id()
    return _Newcomer(member_id, await services.keys.create(member_id))


async def _join(
    session: AsyncSession, newcomer: _Newcomer, who: Proof | WechatIdentity, *, language: Language, now: datetime
) -> Member:
    member = Member(
        id=newcomer.id,
        language=language,
        display_name=rules.neighbour_name(newcomer.id),
        created_at=now,
    )
    if isinstance(who, Proof):
        own_phone.hold(session, member, who.phone, key=newcomer.key)
    else:
        _hold_wechat(session, member, who, key=newcomer.key)
    session.add(member)
    await session.flush()
    audit.note(session, actor=member.id, deed="member.joined", subject=member.id, now=now)
    return member


def _hold_wechat(session: AsyncSession, member: Member, identity: WechatIdentity, *, key: DataKey) -> None:
    table = Member.__tablename__
    member.openid = sealing.seal(key, identity.openid, table=table, column="openid", row=member.id)
    member.openid_lookup = sealing.lookup(store.ring_of(session), store.OPENID, identity.openid)
    if identity.unionid is not None:
        member.unionid = sealing.seal(key, identity.unionid, table=table, column="unionid", row=member.id)
