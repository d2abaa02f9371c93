"""What operators did, so that it can be told afterwards (topic `operations.audit`). No user of the dashboard is named
here, but for the operator."""

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from shared.contracts.envelope import Payload
from shared.contracts.privacy import ServiceName
from shared.contracts.types import Id

DeadLetterReason = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,63}$")]


class DeadLetterHandled(Payload):
    """An operator retried or discarded a dead letter; `time` is when.

    `edited` says that another value took the place of the one that came. `outcome` is what the service's reader makes
    of the record that was published again; there is none where it was discarded.
    """

    event_type: ClassVar[str] = "dead_letter.handled.v1"
    dead_letter_id: Id
    service: ServiceName
    reason: DeadLetterReason
    action: Literal["retried", "discarded"]
    operator: Id
    edited: bool = False
    outcome: Literal["applied", "ignored"] | None = None

    @property
    def key(self) -> str:
        return self.dead_letter_id
