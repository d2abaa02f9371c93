"""The style sheet, the script and the icon of the pages: read once, addressed by what is in them, kept by browsers."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import Request, Response

from shared.plumbing.problems import ProblemError

PREFIX: Final = "/assets"
_FILES = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_NOT_THERE = ProblemError(404, "no-asset", "There is no such file; load the page anew.")


@dataclass(frozen=True)
class _Asset:
    body: bytes
    zipped: bytes
    media_type: str


class Assets:
    """What is in `static/`, by addresses that change with the contents."""

    def __init__(self) -> None:
        self._by_name: dict[str, str] = {}
        self._assets: dict[str, _Asset] = {}
        for file in sorted(_FILES.iterdir()):
            body = file.read_bytes()
            path = f"{PREFIX}/{file.stem}.{hashlib.sha256(body).hexdigest()[:12]}{file.suffix}"
            self._by_name[file.name] = path
            self._assets[path] = _Asset(body, gzip.compress(body, 9, mtime=0), _TYPES[file.suffix])

    def url(self, name: str) -> str:
        """The address of a file, such as `app.css`. Raises KeyError."""
        return self._by_name[name]

    async def serve(self, request: Request) -> Response:
        """The file at the request's path. Raises a 404 problem for one that there is not, or not any more."""
        asset = self._assets.get(request.url.path)
        if asset is None:
            raise _NOT_THERE
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(asset.body, headers=headers, media_type=asset.media_type)
        return Response(asset.zipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=asset.media_type)
