"""What a service uses is what its code has a use for: the two are told in different places."""

from collections.abc import Iterable

import pytest

from services.activity.consumer import reader as activity_reader
from services.activity.domain import activity
from services.analytics import notifications
from services.analytics.consumer import reader as analytics_reader
from services.analytics.domain import presence
from services.profile.consumer import reader as profile_reader
from services.purchases.consumer import reader as purchases_reader
from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.envelope import Payload
from shared.contracts.legacy import LegacyPreferencesFound
from shared.contracts.privacy import ErasureCompleted
from shared.contracts.reading import Reader
from shared.contracts.topics import EVENT_TOPICS, SERVICES
from shared.contracts.uses import USES, reader_of
from shared.folds import facts
from shared.plumbing import erasure

NEEDED: dict[str, tuple[type[Payload], ...]] = {
    "activity": activity.USED_PAYLOADS,
    "purchases": facts.USED_PAYLOADS,
    "profile": (LegacyPreferencesFound, ErasureCompleted),
    "analytics": (*facts.USED_PAYLOADS, *presence.PRESENT, *notifications.USED, ProductListed, ProductRetired),
}
READERS = {
    "activity": activity_reader,
    "purchases": purchases_reader,
    "profile": profile_reader,
    "analytics": analytics_reader,
}


def names(payloads: Iterable[type[Payload]]) -> list[str]:
    return sorted({payload.event_type for payload in payloads})


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_uses_what_it_folds_and_who_is_gone(service: str) -> None:
    assert names(USES[service]) == names((*NEEDED[service], *erasure.PAYLOADS))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_what_it_uses(service: str) -> None:
    reader: Reader = READERS[service]()
    assert reader is reader_of(service)


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_uses_is_on_a_topic_that_it_reads(service: str) -> None:
    read = {payload for topic in EVENT_TOPICS if service in topic.consumers for payload in topic.payloads}
    assert names(USES[service] - read) == []
