"""Gathers the sentences marked with `N_`, keeps `locale/zh_Hans` in step with them, compiles it."""

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PO = ROOT / "mutualaid/locale/zh_Hans/LC_MESSAGES/mutualaid.po"
MO = PO.with_suffix(".mo")
HEADER = (
    "Language: zh_Hans",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
)


def said() -> Catalog:
    """Every sentence that the code and the templates mark."""
    found = Catalog(domain="mutualaid")
    places = ((ROOT / "mutualaid", "**.py", "python"), (ROOT / "web" / "templates", "**.html", "jinja2"))
    for folder, pattern, method in places:
        if not folder.is_dir():
            continue
        keywords = {"N_": None, "_": None, "gettext": None, "ngettext": (1, 2)}
        for name, _line, message, _comments, _context in extract_from_dir(
            folder,
            method_map=[(pattern, method)],
            options_map={pattern: {"silent": "false", "trimmed": "true"}},
            keywords=keywords,
        ):
            found.add(message, locations=[(f"{folder.name}/{name}", 0)])
    return found


def merged() -> Catalog:
    """The stored Chinese, its sentences replaced by those that are said today."""
    kept = (
        read_po(io.BytesIO(PO.read_bytes()), locale="zh_Hans", domain="mutualaid")
        if PO.exists()
        else Catalog(locale="zh_Hans")
    )
    kept.update(said(), no_fuzzy_matching=True)
    kept.obsolete.clear()
    return kept


def rendered(catalog: Catalog) -> tuple[bytes, bytes]:
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, catalog, no_location=True, omit_header=True, sort_output=True, width=0)
    write_mo(mo, catalog)
    header = "\n".join(('msgid ""', 'msgstr ""', *(f'"{field}\\n"' for field in HEADER), "", ""))
    return header.encode() + po.getvalue(), mo.getvalue()


def compiled(po: bytes) -> bytes:
    """The same bytes from the same sentences, whenever it is asked: else this minute would stand in the header."""
    mo, catalog = io.BytesIO(), read_po(io.BytesIO(po), locale="zh_Hans", domain="mutualaid")
    catalog.creation_date = catalog.revision_date = datetime(2022, 12, 7, tzinfo=UTC)
    write_mo(mo, catalog)
    return mo.getvalue()


def problems() -> list[str]:
    """What is out of step, one sentence a line."""
    if not PO.exists():
        return [f"{PO.name} is missing"]
    kept = read_po(io.BytesIO(PO.read_bytes()), locale="zh_Hans", domain="mutualaid")
    now = {message.id for message in said() if message.id}
    stored = {message.id: message.string for message in kept if message.id}
    found = [f"not in the catalogue: {text}" for text in sorted(map(str, now - set(stored)))]
    found += [f"no longer said: {text}" for text in sorted(map(str, set(stored) - now))]
    found += [f"not translated: {text}" for text, string in sorted(stored.items(), key=str) if not string]
    if not MO.exists() or MO.read_bytes() != compiled(PO.read_bytes()):
        found.append("the compiled catalogue is not the stored one's: run scripts/texts")
    return found


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        found = problems()
        print("\n".join(found))
        return 1 if found else 0
    PO.parent.mkdir(parents=True, exist_ok=True)
    po, _ = rendered(merged())
    PO.write_bytes(po)
    MO.write_bytes(compiled(po))
    untranslated = [text for text in problems() if text.startswith("not translated")]
    print("\n".join(untranslated))
    print(f"{len(list(merged())) - 1} sentences, {len(untranslated)} without Chinese")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
