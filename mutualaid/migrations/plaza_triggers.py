"""The triggers that keep the plaza's rows, for both databases: what a migration runs, and what it undoes.

However a post, a line or a member changes, and whoever changes it, the rows that the plaza reads follow in the same
transaction. The view `plaza_standing` says what they should be, line by line; a trigger replaces a post's rows by what it
says, or for a new line adds what is missing.
"""

from typing import Final

from mutualaid.migrations import marks

STANDING: Final = """
CREATE VIEW plaza_standing AS
SELECT p.id AS post_id, l.id AS line_id, CASE WHEN w.whole = 1 THEN '' ELSE l.item END AS topic, p.kind AS kind,
       CAST(CASE WHEN m.real_name = 'none' THEN 0 ELSE 1 END AS SMALLINT) AS "real",
       p.cell AS cell, p.region AS region, p.spot AS spot,
       CASE WHEN p.urgency = 'urgent' THEN 0 ELSE 10000 END + (3 - p.waiting) * 1000
       + CASE WHEN p.contacted > 999 THEN 999 ELSE p.contacted END AS rank, p.created_at AS created_at, p.until AS until
FROM posts p
JOIN members m ON m.id = p.author_id
JOIN post_lines l ON l.post_id = p.id
CROSS JOIN (SELECT 0 AS whole UNION ALL SELECT 1 AS whole) w
WHERE p.state = 'open' AND m.status = 'active' AND l.remaining > l.held
"""

_ENTRY: Final = 'post_id, topic, kind, "real", cell, region, rank, created_at, until'
_CELL: Final = 'topic, kind, "real", region, cell, spot'
_TOLD: Final = """
  INSERT INTO plaza_changes (post_id, stood, at{more})
    SELECT p.id, CASE WHEN EXISTS (SELECT 1 FROM plaza_entries e WHERE e.post_id = p.id) THEN 1 ELSE 0 END, {now}
    FROM posts p WHERE p.id {which};
"""
_DERIVED: Final = f"""
  DELETE FROM plaza_entries WHERE post_id {{which}};
  INSERT INTO plaza_entries ({_ENTRY}) SELECT DISTINCT {_ENTRY} FROM plaza_standing WHERE post_id {{which}};
  INSERT INTO plaza_cells ({_CELL}) SELECT DISTINCT {_CELL} FROM plaza_standing WHERE post_id {{which}} ORDER BY topic
    ON CONFLICT DO NOTHING;
"""  # noqa: S608 — names of ours
_FOLLOW: Final = _TOLD + _DERIVED
# A line more takes nothing away: what stands stays, and the view is asked of this line alone.
_MORE: Final = f"""
  INSERT INTO plaza_changes (post_id, stood, at{{more}}) VALUES (NEW.post_id,
    CASE WHEN EXISTS (SELECT 1 FROM plaza_entries e WHERE e.post_id = NEW.post_id) THEN 1 ELSE 0 END, {{now}});
  INSERT INTO plaza_entries ({_ENTRY}) SELECT {_ENTRY} FROM plaza_standing WHERE line_id = NEW.id
    ON CONFLICT DO NOTHING;
  INSERT INTO plaza_cells ({_CELL}) SELECT {_CELL} FROM plaza_standing WHERE line_id = NEW.id ORDER BY topic
    ON CONFLICT DO NOTHING;
"""  # noqa: S608 — names of ours
# what the entries or the card of a post are made of
_OF_POST: Final = (
    "state, kind, cell, region, urgency, waiting, contacted, created_at, until, reach_km, handover, contact, for_other,"
    " beneficiary_age_band, keeps_enough, available, note, scrubbed, confirmed_at"
)
_OF_LINE: Final = "item, quantity, remaining, held, expires_on, substitutes"
_OF_MEMBER: Final = "status, real_name, display_name"
_NOW: Final = "CAST(strftime('%s','now') AS INTEGER) * 1000000"  # SQLite's clock, to the second
_WAS_OR_IS_OPEN: Final = "WHEN (OLD.state = 'open' OR NEW.state = 'open')"
_THEIRS: Final = "IN (SELECT id FROM posts WHERE author_id = NEW.id AND state = 'open')"


def _sqlite() -> list[str]:
    when = {
        "post_changed": (f"UPDATE OF {_OF_POST} ON posts", _WAS_OR_IS_OPEN, "= NEW.id"),
        "line_added": ("INSERT ON post_lines", "", "= NEW.post_id"),
        "line_changed": (f"UPDATE OF {_OF_LINE} ON post_lines", "", "= NEW.post_id"),
        "line_removed": ("DELETE ON post_lines", "", "= OLD.post_id"),
        "member_changed": (f"UPDATE OF {_OF_MEMBER} ON members", "", _THEIRS),
    }
    return [
        STANDING,
        *(
            f"CREATE TRIGGER plaza_{name} AFTER {event} {condition} BEGIN {_followed(which, more=name == 'line_added')} END"
            for name, (event, condition, which) in when.items()
        ),
    ]


def _followed(which: str, *, more: bool) -> str:
    return (_MORE if more else _FOLLOW).format(which=which, now=_NOW, more="")


_POSTGRESQL: Final = [
    STANDING,
    f"""CREATE FUNCTION plaza_follow(a_post varchar) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    {_FOLLOW.format(which="= a_post", now="clock_timestamp(), pg_current_xact_id()", more=", xid")} END $$""",
    """CREATE FUNCTION plaza_follow_post() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM plaza_follow(NEW.id); RETURN NULL; END $$""",
    f"""CREATE FUNCTION plaza_follow_line() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN {_MORE.format(now="clock_timestamp(), pg_current_xact_id()", more=", xid")} RETURN NULL; END IF;
    PERFORM plaza_follow(CASE WHEN TG_OP = 'DELETE' THEN OLD.post_id ELSE NEW.post_id END); RETURN NULL; END $$""",
    """CREATE FUNCTION plaza_follow_member() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM plaza_follow(id) FROM posts WHERE author_id = NEW.id AND state = 'open'; RETURN NULL; END $$""",
    f"""CREATE TRIGGER plaza_post_changed AFTER UPDATE OF {_OF_POST} ON posts FOR EACH ROW {_WAS_OR_IS_OPEN}
    EXECUTE FUNCTION plaza_follow_post()""",
    f"""CREATE TRIGGER plaza_line_changed AFTER INSERT OR DELETE OR UPDATE OF {_OF_LINE} ON post_lines FOR EACH ROW
    EXECUTE FUNCTION plaza_follow_line()""",
    f"""CREATE TRIGGER plaza_member_changed AFTER UPDATE OF {_OF_MEMBER} ON members FOR EACH ROW
    EXECUTE FUNCTION plaza_follow_member()""",
]


def before_tables(dialect: str) -> list[str]:
    """What must be there before the tables: PostgreSQL's points and their index (both extensions are trusted ones)."""
    if dialect != "postgresql":
        return []
    return [f"CREATE EXTENSION IF NOT EXISTS {name}" for name in ("cube", "btree_gist")]


def refill() -> list[str]:
    """All rows of the plaza anew, as the view says: after posts were brought in with the triggers off."""
    return [said for said in _DERIVED.format(which="IS NOT NULL").split(";") if said.strip()]


def create(dialect: str) -> list[str]:
    """After the tables."""
    return [*_POSTGRESQL, *marks.CREATE] if dialect == "postgresql" else _sqlite()


def drop(dialect: str) -> list[str]:
    """Before the tables go."""
    if dialect != "postgresql":
        names = ("post_changed", "line_added", "line_changed", "line_removed", "member_changed")
        return [*(f"DROP TRIGGER plaza_{name}" for name in names), "DROP VIEW plaza_standing"]
    triggers = (("post_changed", "posts"), ("line_changed", "post_lines"), ("member_changed", "members"))
    functions = ("plaza_follow_post()", "plaza_follow_line()", "plaza_follow_member()", "plaza_follow(varchar)")
    return [
        *marks.DROP,
        *(f"DROP TRIGGER plaza_{name} ON {table}" for name, table in triggers),
        *(f"DROP FUNCTION {function}" for function in functions),
        "DROP VIEW plaza_standing",
    ]
