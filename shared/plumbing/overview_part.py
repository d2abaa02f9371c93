"""A service's part of the overview: members that the gateway joins with those of others without parsing them."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b

from fastapi import Response

_VERSION_BYTES = 12


def part(members: Mapping[str, bytes], as_of: datetime) -> Response:
    """A line `name<TAB>JSON` for each member. `ETag` is the content's own, `X-As-Of` when it was true (aware)."""
    body = b"".join(b"%s\t%s\n" % (name.encode(), value) for name, value in members.items())
    version = blake2b(body, digest_size=_VERSION_BYTES).hexdigest()
    headers = {"ETag": f'"{version}"', "X-As-Of": f"{as_of:%Y-%m-%dT%H:%M:%S.%f}Z"}
    return Response(body, headers=headers, media_type="text/plain; charset=utf-8")
