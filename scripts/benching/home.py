"""Where loaded databases lie: in a folder that goes with the run, or in one that is kept for the next.

A loaded pair (ours and the twin's) is never measured itself but a copy of it, where it is kept: what a run writes into it
is gone afterwards. What was kept is loaded anew once the tables, the catalogue or the posts that are made have changed, and
after a week.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

import mutualaid
from benching import loading, towns
from benching.towns import Ground, Towns
from mutualaid import migrate
from mutualaid.catalogue import snapshot
from mutualaid.kit.database import Database
from mutualaid.kit.ring import KeyRing
from mutualaid.regions.records import RegionRow
from mutualaid.seed import seed
from tests import servers
from tests.bench import records, twin

BOTH: Final = ("sqlite", "postgresql")
_KEPT: Final = timedelta(days=7)
_PREFIX: Final = "bench_"

_CAN_WARM: Final = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_prewarm'"
_WARM: Final = """SELECT sum(pg_prewarm(oid)) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"""

Told = Callable[[str, int, int], None]  # what is being done, how far, out of how much


@dataclass(frozen=True, slots=True)
class Pair:
    """Two databases with the same posts: ours at `url`, its keys in `data`; the twin's at `twin_url`."""

    dialect: str
    data: Path
    url: str
    twin_url: str

    @asynccontextmanager
    async def ours(self) -> AsyncIterator[Database]:
        database = Database(self.url, KeyRing.open(self.data / "keys"))
        try:
            yield database
        finally:
            await database.close()


@contextmanager
def a_folder(kept: Path | None) -> Iterator[Path]:
    """`kept` where it is given, else one that goes with the block."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="mutualaid-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_server(folder: Path, *, kept: bool) -> Iterator[str]:
    """A PostgreSQL that is as durable as one in earnest; where things are kept, with its data in the folder."""
    with servers.postgres(durable=True, roomy=True, kept=folder / "postgresql" if kept else None) as url:
        yield url


async def _warmed(pair: Pair) -> Pair:
    """As a server is that has answered for a while: PostgreSQL has read what the plazas' questions read (SQLite's file has just
    been written, and the system has it in memory)."""
    if pair.dialect == "postgresql":
        for url in (pair.twin_url, pair.url):
            engine = create_async_engine(url)
            async with engine.begin() as connection:
                if await connection.scalar(text(_CAN_WARM)):
                    await connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_prewarm"))
                    await connection.execute(text(_WARM))
            await engine.dispose()
    return pair


class Home:
    """The folder and the server, and what is loaded in them."""

    def __init__(self, folder: Path, server: str, *, kept: bool, number: int, told: Told) -> None:
        self._folder = folder
        self._server = make_url(server)
        self._kept = kept
        self._number = number
        self._told = told
        self.made_at = datetime.now(UTC)

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, server: str, *, kept: bool, number: int, told: Told) -> AsyncIterator["Home"]:
        """`number`: the seed. With the ground laid: a migrated and seeded database of each kind."""
        home = cls(folder, server, kept=kept, number=number, told=told)
        if not home._is_good():
            await home._clear()
        await home._lay()
        try:
            yield home
        finally:
            if not kept:
                await home._clear()

    # ---- what is there -----------------------------------------------------------------------------------------

    def _is_good(self) -> bool:
        try:
            note = json.loads((self._folder / "made.json").read_text(encoding="utf-8"))
            made_at = datetime.fromisoformat(note["made_at"])
        except (OSError, ValueError, KeyError):
            return False
        self.made_at = made_at
        return bool(note["mark"] == self._mark()) and datetime.now(UTC) - made_at < _KEPT

    def _mark(self) -> str:
        """What the loaded rows follow from."""
        home = Path(mutualaid.__file__).parent
        files = [*home.glob("migrations/**/*.py"), *home.glob("catalogue/*.csv")]
        files += [Path(str(module.__file__)) for module in (loading, towns, records)]
        digest = hashlib.sha256(str(self._number).encode())
        for file in sorted(files):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    async def _clear(self) -> None:
        shutil.rmtree(self._folder / "loaded", ignore_errors=True)
        (self._folder / "made.json").unlink(missing_ok=True)
        for name in await self._databases():
            await self._say(f'DROP DATABASE "{name}" WITH (FORCE)')
        self.made_at = datetime.now(UTC)

    async def _databases(self) -> list[str]:
        engine = create_async_engine(self._server)
        async with engine.connect() as connection:
            found = await connection.execute(text("SELECT datname FROM pg_database ORDER BY datname"))
            names = [name for (name,) in found if name.startswith(_PREFIX)]
        await engine.dispose()
        return names

    async def _say(self, statement: str) -> None:
        engine = create_async_engine(self._server, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(statement))
        await engine.dispose()

    # ---- the ground --------------------------------------------------------------------------------------------

    async def _lay(self) -> None:
        """One ground for each kind of database, with the same keys."""
        if (self._folder / "made.json").exists():
            return
        for n, dialect in enumerate(BOTH):
            self._told("migrate and seed", n, len(BOTH))
            pair = await self._place(dialect, "ground", made=True)
            async with pair.ours() as database:
                await migrate.upgrade(database)
                await seed(database, now=self.made_at)
                await self._prepare_twin(pair, database)
        self._told("migrate and seed", len(BOTH), len(BOTH))
        note = {"mark": self._mark(), "made_at": self.made_at.isoformat()}
        (self._folder / "made.json").write_text(json.dumps(note), encoding="utf-8")

    async def _prepare_twin(self, pair: Pair, database: Database) -> None:
        engine = twin.engine_of(pair.twin_url)
        await twin.prepare(engine)
        async with database.reading() as session, engine.begin() as connection:
            regions = await session.execute(select(RegionRow.code, RegionRow.name, RegionRow.path))
            await connection.execute(insert(records.Region), [row._asdict() for row in regions])
            items = [
                {"code": i.code, "name": i.name, "unit": i.unit, "need_max": i.need_max, "offer_max": i.offer_max}
                for i in (await snapshot.current(database)).items
            ]
            await connection.execute(insert(records.Item), items)
        await engine.dispose()

    async def _place(self, dialect: str, name: str, *, made: bool = False, like: str | None = None) -> Pair:
        """The addresses under a name; `made`: empty databases there, `like`: copies of those under that name."""
        data = self._folder / "loaded" / f"{name}-{dialect}"
        if like is not None:
            shutil.copytree(self._folder / "loaded" / f"{like}-{dialect}", data)
        data.mkdir(parents=True, exist_ok=True)
        if dialect == "sqlite":
            return Pair(
                dialect, data, f"sqlite+aiosqlite:///{data}/mutualaid.db", f"sqlite+aiosqlite:///{data}/twin.db"
            )
        urls = []
        for side in ("ours", "twin"):
            database = f"{_PREFIX}{name}_{side}"
            template = f' TEMPLATE "{_PREFIX}{like}_{side}" STRATEGY FILE_COPY' if like else ""
            if made or like:
                await self._say(f'CREATE DATABASE "{database}"{template}')
            urls.append(self._server.set(database=database).render_as_string(hide_password=False))
        return Pair(dialect, data, *urls)

    async def ground(self) -> Ground:
        pair = await self._place("sqlite", "ground")
        async with pair.ours() as database, database.reading() as session:
            return await Ground.read(session, (await snapshot.current(database)).items)

    # ---- loaded ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lend(self, of_set: Towns, posts: int, dialect: str) -> AsyncIterator[Pair]:
        """A pair with so many posts of the set, to do with as one likes."""
        name = f"{of_set.name}_{posts}"
        done = self._folder / "loaded" / f"{name}-{dialect}" / "done"
        if not done.exists():
            await self._drop(dialect, name)
            await self._load(await self._place(dialect, name, like="ground"), of_set, posts)
            done.touch()
        if not self._kept:
            yield await _warmed(await self._place(dialect, name))
            await self._drop(dialect, name)
            return
        await self._drop(dialect, "lent")
        yield await _warmed(await self._place(dialect, "lent", like=name))
        await self._drop(dialect, "lent")

    async def _drop(self, dialect: str, name: str) -> None:
        shutil.rmtree(self._folder / "loaded" / f"{name}-{dialect}", ignore_errors=True)
        if dialect == "postgresql":
            for side in ("ours", "twin"):
                await self._say(f'DROP DATABASE IF EXISTS "{_PREFIX}{name}_{side}" WITH (FORCE)')

    async def _load(self, pair: Pair, of_set: Towns, posts: int) -> None:
        ground, theirs = await self._place("sqlite", "ground"), twin.engine_of(pair.twin_url)
        what = f"{of_set.name}, {posts:,} posts, {pair.dialect}"
        self._told(what, 0, posts)
        async with ground.ours() as regions, regions.reading() as session, pair.ours() as database:
            loaded = loading.load(database.engine, theirs, of_set.batches(session, posts))
            async with aclosing(loaded):
                async for done in loaded:
                    self._told(what, done, posts)
        await theirs.dispose()
