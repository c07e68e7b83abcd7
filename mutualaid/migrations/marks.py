"""PostgreSQL's own word on whether a member is still as they were seen: for a deed that is decided first and locks later.

`member_mark` names the very versions of the rows that `members.footing` reads; `still_so` takes the member's lock, which
whoever changes one of these rows takes too, and then compares. It waits for nobody: others stand in the same statement.
"""

from typing import Final

from mutualaid.kit.plain import CHANGED

CREATE: Final = [
    """CREATE FUNCTION member_mark(a_member varchar) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT (SELECT m.xmin || ':' || m.ctid FROM members m WHERE m.id = a_member) || '/'
      || coalesce((SELECT string_agg(c.xmin || ':' || c.ctid, ' ' ORDER BY c.ctid) FROM consents c
           WHERE c.member_id = a_member AND c.withdrawn_at IS NULL), '') || '/'
      || coalesce((SELECT string_agg(a.xmin || ':' || a.ctid, ' ' ORDER BY a.ctid) FROM anchors a
           WHERE a.member_id = a_member), '') $$""",
    f"""CREATE FUNCTION still_so(a_member varchar, a_mark text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN
    PERFORM 1 FROM members WHERE id = a_member FOR NO KEY UPDATE NOWAIT;
    IF member_mark(a_member) IS DISTINCT FROM a_mark THEN
      RAISE EXCEPTION 'not as it was seen' USING ERRCODE = '{CHANGED}';
    END IF;
    RETURN true; END $$""",
]
DROP: Final = ["DROP FUNCTION still_so(varchar, text)", "DROP FUNCTION member_mark(varchar)"]
