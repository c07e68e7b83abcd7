"""Our own css, js and icons: read once, served with a hash in the query, so that a browser may keep them for a year."""

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit.errors import NotFound

_PACKAGE = Path(__file__).resolve().parents[2]
_KEPT = "public, max-age=31536000, immutable"
_ASKED_AGAIN = "public, no-cache"


@dataclass(frozen=True, slots=True)
class Static:
    body: bytes
    kind: str
    mark: str


@cache
def web_root() -> Path:
    """Where templates and static files are: inside the installed package, else in the checkout."""
    packed = _PACKAGE / "_web"
    return packed if packed.is_dir() else _PACKAGE.parent / "web"


@cache
def _files() -> dict[str, Static]:
    folder = web_root() / "static"
    return {path.relative_to(folder).as_posix(): _static(path) for path in folder.rglob("*") if path.is_file()}


def _static(path: Path) -> Static:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    return Static(body, kind, hashlib.sha256(body).hexdigest()[:16])


def address(name: str) -> str:
    """The file's URL, which changes with its content."""
    return f"/static/{name}?v={_files()[name].mark}"


async def serve(request: Request) -> Response:
    """One file; only those that were there at the start can be asked for."""
    found = _files().get(request.path_params["path"])
    if found is None:
        raise NotFound
    kept = _KEPT if request.query_params.get("v") == found.mark else _ASKED_AGAIN
    return Response(found.body, headers={"cache-control": kept, "etag": f'"{found.mark}"'}, media_type=found.kind)
