"""The exported documents: they are those of the code, they are valid, and a breaking one is never written."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from jsonschema import Draft202012Validator

from shared.contracts.export import ASYNCAPI, FOLDER, documents, export, rendered
from shared.contracts.topics import PAYLOADS, TOPICS, Topic

Json = Any  # JSON, by its nature

DOCUMENTS = documents()
DOCUMENT = DOCUMENTS[ASYNCAPI]


def test_what_is_in_the_tree_is_what_the_code_says() -> None:
    committed = {
        path.relative_to(FOLDER).as_posix(): path for path in [FOLDER / ASYNCAPI, *FOLDER.glob("schemas/*.json")]
    }
    exported = documents()
    assert committed.keys() == exported.keys(), "run make schemas"
    changed = [name for name, path in committed.items() if path.read_text(encoding="utf-8") != rendered(exported[name])]
    assert not changed, "run make schemas"


@pytest.mark.parametrize("event_type", PAYLOADS)
def test_a_schema_is_a_json_schema(event_type: str) -> None:
    Draft202012Validator.check_schema(DOCUMENTS[f"schemas/{event_type}.json"])


def test_the_asyncapi_document_is_one() -> None:
    read = ApplicationSchema.model_validate(DOCUMENT)
    assert read.channels.keys() == {topic.name for topic in TOPICS}
    assert read.components
    assert read.components.messages
    assert read.components.messages.keys() == {*PAYLOADS, "dead-letter"}


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    references = list(_references(DOCUMENT))
    assert references
    for reference in references:
        here = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            here = here[step]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_described_as_it_is_declared(topic: Topic) -> None:
    channel = DOCUMENT["channels"][topic.name]
    kafka = channel["bindings"]["kafka"]
    assert channel["messages"].keys() == ({payload.event_type for payload in topic.payloads} or {"dead-letter"})
    assert (channel["x-producers"], channel["x-consumers"]) == ([*topic.producers], [*topic.consumers])
    assert kafka["partitions"] == topic.partitions
    configuration = kafka["topicConfiguration"]
    as_text = {name: ",".join(each) if isinstance(each, list) else str(each) for name, each in configuration.items()}
    assert as_text == topic.config


@pytest.mark.parametrize("event_type", PAYLOADS)
def test_an_example_in_the_asyncapi_document_is_valid_there(event_type: str) -> None:
    message = DOCUMENT["components"]["messages"][event_type]
    schema = {**message["payload"], "components": DOCUMENT["components"]}
    [example] = message["examples"]
    Draft202012Validator(schema).validate(example["payload"])


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A copy of the documents as they are published."""
    shutil.copytree(FOLDER / "schemas", tmp_path / "schemas")
    shutil.copy(FOLDER / ASYNCAPI, tmp_path / ASYNCAPI)
    return tmp_path


def test_the_documents_are_written_where_there_were_none(tmp_path: Path) -> None:
    assert export(tmp_path) == 0
    for name, document in DOCUMENTS.items():
        assert (tmp_path / name).read_text(encoding="utf-8") == rendered(document)


def test_a_compatible_change_is_written(published: Path) -> None:
    path = published / "schemas" / "purchase.rated.v1.json"
    _edit(path, lambda schema: schema["$defs"]["PurchaseRated"]["properties"].pop("review"))
    assert export(published) == 0
    assert path.read_text(encoding="utf-8") == rendered(DOCUMENTS["schemas/purchase.rated.v1.json"])


def test_a_breaking_change_is_refused_and_nothing_is_written(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = published / "schemas" / "purchase.rated.v1.json"
    _edit(path, lambda schema: schema["$defs"]["PurchaseRated"]["properties"]["rating"].update(maximum=10))
    (published / "schemas" / "user.erased.v1.json").unlink()
    before = path.read_text(encoding="utf-8")
    assert export(published) == 1
    said = capsys.readouterr().err
    assert "purchase.rated.v1: /data/rating: maximum was 10 and is 5; this breaks older publishers" in said
    assert "make a new one, such as ….v2" in said
    assert path.read_text(encoding="utf-8") == before
    assert not (published / "schemas" / "user.erased.v1.json").exists()


def test_a_type_may_not_vanish(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(published / "schemas" / "user.erased.v1.json", published / "schemas" / "user.renamed.v1.json")
    assert export(published) == 1
    assert "user.renamed.v1: the event type is gone" in capsys.readouterr().err


def test_a_type_may_not_leave_its_topic_nor_a_topic_change_its_key(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _edit(published / ASYNCAPI, lambda each: each["channels"]["wallet.events"]["messages"].update({"user.paid.v1": {}}))
    _edit(published / ASYNCAPI, lambda each: each["channels"]["profile.events"].update({"x-key": "product"}))
    assert export(published) == 2
    said = capsys.readouterr().err
    assert "user.paid.v1: is no longer on wallet.events" in said
    assert "profile.events: has another key" in said


def _edit(path: Path, change: Any) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _references(each)
