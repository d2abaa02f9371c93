"""What becomes of an erasure in each service (topic `erasure.receipts`). No user is named here."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from shared.contracts.envelope import Payload
from shared.contracts.types import Count, Id

ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,63}$")]


class ErasureCompleted(Payload):
    """A service holds nothing of the user any more. `documents` is how many it removed, 0 for one asked again."""

    event_type: ClassVar[str] = "erasure.completed.v1"
    erasure_id: Id
    service: ServiceName
    documents: Count = 0

    @property
    def key(self) -> str:
        return self.erasure_id
