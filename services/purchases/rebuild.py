"""How purchases, deployments and the wallet are made anew from the topics."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from services.purchases import consumer
from services.purchases.consumer import apply
from services.purchases.credentials import Issued, UnusableCredentialsError, Vault
from services.purchases.erasing import Eraser
from services.purchases.settings import Settings
from services.purchases.store import INDEXES, KINDS, SECTIONS, PurchaseStore
from services.purchases.vault.envelope import Keks
from services.purchases.vault.unsealing import Unsealer
from shared.contracts.reading import AnyEvent
from shared.folds.facts import CREDENTIALS
from shared.plumbing.consume import Stored
from shared.plumbing.mongo import Database, Document
from shared.plumbing.rebuild import Plan
from shared.plumbing.rebuild_parts import Expected, Pair, Part, facts, writing

_KIND_OF: Final = {keeping.collection: kind for kind, keeping in KINDS.items() if kind != "command"}
_DEPLOYMENTS: Final = (SECTIONS["deployment"],)
_deployment: Final = facts("deployment", KINDS["deployment"])


class _Unsealed:
    """Keeps credentials in the shadow as they came, encrypted for the service: its users have no keys there."""

    def __init__(self, vault: Vault) -> None:
        self.seal_all = vault.check_all


def plan(settings: Settings, live: Database, shadow: Database) -> Plan:
    """Rebuilds all things but commands, which are asked for here."""
    unsealer, keks = Unsealer.parse(settings.credentials_private_jwk), Keks.parse(settings.credentials_keks)
    vault, beside = Vault(live, keks, unsealer), Vault(shadow, keks, unsealer)
    here, store = PurchaseStore(live), PurchaseStore(shadow)

    async def applied(events: Sequence[AnyEvent]) -> Stored:
        return await apply(store, _Unsealed(beside), events)

    async def written(collection: str, pairs: Sequence[Pair]) -> None:
        kind = _KIND_OF[collection]
        await here.mark([writing(kind, KINDS[kind], pair) for pair in pairs])

    parts = [
        Part(collection, facts(kind, KINDS[kind]), sections=(SECTIONS[kind],))
        for collection, kind in _KIND_OF.items()
        if kind not in ("deployment", "health")
    ]
    return Plan(
        "purchases",
        consumer.TOPICS,
        consumer.reader(),
        INDEXES,
        apply=applied,
        erase_shadow=Eraser(shadow, beside).erase,
        erase=Eraser(live, vault).erase,
        parts=(
            *parts,
            Part("health", facts("health", KINDS["health"]), sections=_DEPLOYMENTS),
            Part("deployments", _expect_deployment, sections=_DEPLOYMENTS, complete=_sealing(vault)),
        ),
        written=written,
    )


def _expect_deployment(live: Document | None, shadow: Document | None, oldest: int) -> Expected:
    """What is sealed stays sealed as it is: never the same twice, so there is nothing to compare."""
    if live and shadow:
        kept, came = live["fields"].get(CREDENTIALS), shadow["fields"].get(CREDENTIALS)
        if kept and came and kept[:3] == came[:3]:
            shadow = shadow | {"fields": shadow["fields"] | {CREDENTIALS: kept}}
    return _deployment(live, shadow, oldest)


def _sealing(vault: Vault) -> Callable[[Sequence[Document]], Awaitable[None]]:
    async def seal(documents: Sequence[Document]) -> None:
        """Credentials that are missing are sealed for their user."""
        came = [d for d in documents if isinstance(d["fields"].get(CREDENTIALS, [None])[-1], str)]
        issued = [Issued(d["user"], d["id"], d["fields"][CREDENTIALS][-1]) for d in came]
        for document, box in zip(came, await vault.seal_all(issued), strict=True):
            assert not isinstance(box, UnusableCredentialsError)  # noqa: S101  (it was checked before it was stored)
            document["fields"][CREDENTIALS] = [*document["fields"][CREDENTIALS][:3], box]

    return seal
