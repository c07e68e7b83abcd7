"""What most people would write: FastAPI, pydantic, SQLAlchemy's ORM; the same two doors as ours, signed in likewise.

`GET /api/v1/posts` answers the nearest posts of a kind. PostgreSQL: neighbours by earthdistance and GiST. SQLite: a
bounding box that grows. `POST /api/v1/posts` writes a post and, beside it, an audit row, a job row and the answer under the
Idempotency-Key; `POST /api/v1/posts/alone` writes the post and nothing else. What ours does and this does not: limits,
consents, home anchors, the district of a point, sealing, scrubbing, the derived rows of the plaza.
"""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from math import asin, cos, radians, sin, sqrt
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from sqlalchemy import event, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import joinedload, selectinload

from tests.bench.records import EXTENSIONS, AuditRow, Base, Item, Job, Kept, Member, Post, PostLine, Region, SessionRow
from tests.bench.shapes import Kind, PostIn, PostOut, PostsOut, shown

DATABASE_URL = "TWIN_DATABASE_URL"
EARTH_M = 6_371_009


def engine_of(url: str) -> AsyncEngine:
    """As durable as ours: SQLite with a log that is synced at each commit."""
    engine = create_async_engine(url, pool_size=20)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def _open(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

    return engine


async def prepare(engine: AsyncEngine) -> None:
    """Its tables."""
    async with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            for name in EXTENSIONS:
                await connection.execute(text(f"CREATE EXTENSION IF NOT EXISTS {name}"))
        await connection.run_sync(Base.metadata.create_all)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.engine = engine_of(os.environ[DATABASE_URL])
    yield
    await app.state.engine.dispose()


app = FastAPI(lifespan=lifespan)


async def a_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session:
        yield session


Session = Annotated[AsyncSession, Depends(a_session)]


async def signed_in(session: Session, authorization: Annotated[str, Header()]) -> Member:
    token_hash = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).digest()
    live = select(SessionRow).where(SessionRow.token_hash == token_hash, SessionRow.ends_at > datetime.now(UTC))
    found = await session.scalar(live.options(joinedload(SessionRow.member)))
    if found is None or found.member.status != "active":
        raise HTTPException(401)
    return found.member


Caller = Annotated[Member, Depends(signed_in)]

WHOLE = (joinedload(Post.author), joinedload(Post.district), selectinload(Post.lines).joinedload(PostLine.thing))


@app.get("/api/v1/posts")
async def list_posts(
    session: Session, caller: Caller, near: str, kind: Kind, limit: Annotated[int, Query(ge=1, le=50)] = 20
) -> PostsOut:
    lat, lng = map(float, near.split(","))
    found = await nearest(session, kind, lat, lng, limit)
    away = sorted(((metres(lat, lng, post.lat, post.lng), post) for post in found), key=lambda pair: pair[0])
    return PostsOut(items=[shown(post, caller, m) for m, post in away])


async def nearest(session: AsyncSession, kind: Kind, lat: float, lng: float, limit: int) -> list[Post]:
    wanted = Post.kind == kind, Post.state == "open", Post.until > datetime.now(UTC)
    if session.get_bind().dialect.name == "postgresql":
        away = func.ll_to_earth(Post.lat, Post.lng).op("<->")(func.ll_to_earth(lat, lng))
        there = select(Post).where(*wanted).options(*WHOLE)
        return list(await session.scalars(there.order_by(away).limit(limit)))
    x, y, z = on_sphere(lat, lng)
    chord = (Post.x - x) * (Post.x - x) + (Post.y - y) * (Post.y - y) + (Post.z - z) * (Post.z - z)
    nearby = select(Post.id, Post.lat, Post.lng).where(*wanted).order_by(chord).limit(limit)
    half = 0.02
    while True:
        wide = half / max(cos(radians(abs(lat) + half)), 0.01)
        box = Post.lat.between(lat - half, lat + half), Post.lng.between(lng - wide, lng + wide)
        found = (await session.execute(nearby.where(*box))).all()
        inside = len(found) == limit and metres(lat, lng, found[-1].lat, found[-1].lng) <= radians(half) * EARTH_M
        if inside or half > 90:
            break
        half *= 2
    ids = [row.id for row in found]
    return list(await session.scalars(select(Post).where(Post.id.in_(ids)).options(*WHOLE)))


def on_sphere(lat: float, lng: float) -> tuple[float, float, float]:
    """(x, y, z) of length 1: straight distances grow with those along the globe."""
    return cos(radians(lat)) * cos(radians(lng)), cos(radians(lat)) * sin(radians(lng)), sin(radians(lat))


def metres(lat: float, lng: float, other_lat: float, other_lng: float) -> int:
    """Great-circle distance in whole metres."""
    up, aside = radians(other_lat - lat), radians(other_lng - lng)
    half = sin(up / 2) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(aside / 2) ** 2
    return round(2 * asin(sqrt(half)) * EARTH_M)


@app.post("/api/v1/posts", status_code=201, response_model=PostOut)
async def create(
    session: Session, caller: Caller, draft: PostIn, idempotency_key: Annotated[str, Header(max_length=64)]
) -> PostOut | Response:
    before = select(Kept).where(Kept.member_id == caller.id, Kept.key == idempotency_key)
    if (kept := await session.scalar(before)) is not None:
        return Response(kept.answer, 201, media_type="application/json")
    post = await written(session, caller, draft)
    now = post.created_at
    session.add(AuditRow(at=now, actor=caller.id, deed="post.published", subject=post.id))
    session.add(Job(name="post.changed", payload={"post": post.id}, due_at=now))
    answer = shown(post, caller)
    session.add(Kept(member_id=caller.id, key=idempotency_key, answer=answer.model_dump_json()))
    await session.commit()
    return answer


@app.post("/api/v1/posts/alone", status_code=201)
async def create_alone(session: Session, caller: Caller, draft: PostIn) -> PostOut:
    post = await written(session, caller, draft)
    await session.commit()
    return shown(post, caller)


async def written(session: AsyncSession, author: Member, draft: PostIn) -> Post:
    """The post with its lines, flushed; 422 for what is not in the catalogue or more than may be asked for."""
    codes = [line.item for line in draft.lines]
    things = {item.code: item for item in await session.scalars(select(Item).where(Item.code.in_(codes)))}
    for line in draft.lines:
        thing = things.get(line.item)
        if thing is None or line.quantity > (thing.need_max if draft.kind == "need" else thing.offer_max):
            raise HTTPException(422)
    now = datetime.now(UTC)
    x, y, z = on_sphere(draft.place.lat, draft.place.lng)
    post = Post(
        author=author,
        kind=draft.kind,
        state="open",
        cell="",
        lat=draft.place.lat,
        lng=draft.place.lng,
        x=x,
        y=y,
        z=z,
        district=await session.get_one(Region, "450103"),
        urgency=draft.urgency,
        reach_km=draft.reach_km,
        handover=list(draft.handover),
        contact=draft.contact,
        note=draft.note,
        created_at=now,
        confirmed_at=now,
        until=now + timedelta(hours=72),
        lines=[
            PostLine(
                position=n,
                item=line.item,
                thing=things[line.item],
                quantity=line.quantity,
                remaining=line.quantity,
                held=0,
                expires_on=line.expires_on,
            )
            for n, line in enumerate(draft.lines)
        ],
    )
    session.add(post)
    await session.flush()
    return post
