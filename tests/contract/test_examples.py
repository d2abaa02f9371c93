"""The examples that publishers test with: the good ones are good, the bad ones get the answer that they name."""

import json
from collections import Counter

import pytest
from jsonschema import Draft202012Validator

from shared.contracts.envelope import Event
from shared.contracts.export import FOLDER
from shared.contracts.reading import Reader
from shared.contracts.samples import EXAMPLES, Sample, bad_samples, good_samples
from shared.contracts.topics import PAYLOADS

READER = Reader(PAYLOADS.values())
GOOD, BAD = good_samples(), bad_samples()
MORE_THAN_A_SCHEMA_CAN_SAY = {
    "user.registered.v1/email-without-an-at",
    "user.logged_in.v1/time-without-offset",
    "user.erased.v1/subject-is-another-user",
    "purchase.created.v1/amount-is-not-exact",
    "purchase.created.v1/purchase-date-without-a-time",
    "product.listed.v1/subject-is-the-provider",
    "section.changed.v1/as-of-without-offset",
}


def test_every_type_has_a_good_example_and_two_bad_ones_and_there_are_no_others() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == PAYLOADS.keys()
    bad = Counter(path.parent.name for path in EXAMPLES.glob("bad/*/*.json"))
    assert bad.keys() == PAYLOADS.keys()
    assert min(bad.values()) >= 2


@pytest.mark.parametrize("sample", GOOD, ids=lambda sample: sample.name)
def test_a_good_example_is_read(sample: Sample) -> None:
    read = READER.read(sample.topic, sample.key, sample.value, ())
    assert isinstance(read, Event)
    assert json.loads(read.to_json())["data"].keys() == json.loads(sample.value)["data"].keys()


@pytest.mark.parametrize("sample", GOOD, ids=lambda sample: sample.name)
def test_a_good_example_is_valid_under_the_published_schema(sample: Sample) -> None:
    _schema(json.loads(sample.value)["type"]).validate(json.loads(sample.value))


@pytest.mark.parametrize("sample", BAD, ids=lambda sample: sample.name)
def test_a_bad_example_gets_the_answer_that_it_names(sample: Sample) -> None:
    assert READER.read(sample.topic, sample.key, sample.value, ()) == sample.wrong


@pytest.mark.parametrize("sample", BAD, ids=lambda sample: sample.name)
def test_the_published_schema_refuses_a_bad_example_too(sample: Sample) -> None:
    assert sample.wrong
    event = json.loads(sample.value)
    told = sample.wrong.reason not in ("wrong_topic", "key_mismatch") and sample.name not in MORE_THAN_A_SCHEMA_CAN_SAY
    assert _schema(event["type"]).is_valid(event) != told


def _schema(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((FOLDER / "schemas" / f"{event_type}.json").read_bytes()))
