"""What the export answers."""

from typing import Any

from mutualaid.kit.fields import View

Row = dict[str, Any]


class ExportView(View):
    """Rows as they are held, sealed ones opened, moments as RFC 3339."""

    member: Row
    sessions: list[Row]
    consents: list[Row]
    places: list[Row]
    blocked: list[Row]
    posts: list[Row]
    post_lines: list[Row]
    reports: list[Row]
    matches: list[Row]
    match_lines: list[Row]
    contacts: list[Row]
    calls: list[Row]
    messages: list[Row]
    contact_reports: list[Row]
    notices: list[Row]
    log: list[Row]
