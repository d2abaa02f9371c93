"""A file that a form sends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, Final

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from services.gateway.restoring import MAX_FILE_BYTES, TOO_LARGE, bounded, uploading
from shared.plumbing.problems import ProblemError

_ENVELOPE_BYTES: Final = 16_384  # what a form has around its file
_NOT_A_FORM = ProblemError(415, "unsupported-media-type", "Send the file by the form, as a browser does.")
_NO_FILE = ProblemError(422, "no-file", "Choose a file first.")


@asynccontextmanager
async def uploaded(request: Request, name: str) -> AsyncIterator[IO[bytes]]:
    """The file in the field `name`, of at most MAX_FILE_BYTES; on disk while it is larger than a mebibyte.

    Raises a ProblemError: 408 where it comes too slowly, 413 too large, 415 not in a form, 422 not there or empty.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise _NOT_A_FORM
    pieces = bounded(request.stream(), MAX_FILE_BYTES + _ENVELOPE_BYTES)
    try:
        async with uploading():
            form = await MultiPartParser(request.headers, pieces, max_files=1, max_fields=1).parse()
    except MultiPartException:
        raise _NOT_A_FORM from None
    try:
        file = form.get(name)
        if not isinstance(file, UploadFile) or not file.size:
            raise _NO_FILE
        if file.size > MAX_FILE_BYTES:
            raise TOO_LARGE
        yield file.file
    finally:
        await form.close()
