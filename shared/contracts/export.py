"""Writes the contract for those who do not read Python: a JSON Schema per event type, one of an export, and one
AsyncAPI document.

`python -m shared.contracts.export` (`make schemas`) compares what it would write with what is in the tree and refuses a
change that breaks an older publisher or reader.
"""

import json
import sys
from pathlib import Path
from typing import Any

from shared.contracts.asyncapi import Json, PlainJsonSchema, asyncapi_document
from shared.contracts.compatibility import breaking_changes
from shared.contracts.envelope import Payload, event_model
from shared.contracts.portable import FORMAT, SCHEMA_PATH, VERSION, ExportFile
from shared.contracts.topics import PAYLOADS

FOLDER = Path(__file__).parent
ASYNCAPI = "asyncapi.json"


def event_schema(payload: type[Payload]) -> Json:
    """The JSON Schema (draft 2020-12) of a whole event with this payload, as publishers send it."""
    schema = event_model(payload).model_json_schema(schema_generator=PlainJsonSchema)
    words = {"title": payload.event_type, "description": "A CloudEvents 1.0 event in structured mode."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema | words


def portable_schema() -> Json:
    """The JSON Schema (draft 2020-12) of the file that holds everything about one user."""
    schema = ExportFile.model_json_schema(schema_generator=PlainJsonSchema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_PATH} | schema


def documents() -> dict[str, Json]:
    """Everything that is exported: the path below this package's folder -> the document."""
    schemas = {f"schemas/{name}.json": event_schema(payload) for name, payload in PAYLOADS.items()}
    schemas[f"schemas/{FORMAT}.v{VERSION}.json"] = portable_schema()
    return schemas | {ASYNCAPI: asyncapi_document()}


def rendered(document: Json) -> str:
    """The text of the file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def breakages(folder: Path, new: dict[str, Json]) -> list[str]:
    """What in `new` would break those who rely on the documents in `folder`; one sentence each."""
    found = []
    for path in sorted(folder.glob("schemas/*.json")):
        schema = new.get(f"schemas/{path.name}")
        changes = (
            breaking_changes(_read(path), schema)
            if schema
            else ["the event type is gone; older publishers and readers rely on it"]
        )
        found += [f"{path.stem}: {change}" for change in changes]
    if (folder / ASYNCAPI).exists():
        found += _moved(_read(folder / ASYNCAPI)["channels"], new[ASYNCAPI]["channels"])
    return found


def _moved(old: Json, new: Json) -> list[str]:
    """The types that are no longer on a topic on which they were, and the topics that have another key."""
    return [
        f"{message}: is no longer on {topic}"
        for topic, channel in old.items()
        for message in channel["messages"]
        if message not in new.get(topic, {"messages": {}})["messages"]
    ] + [f"{topic}: has another key" for topic in old.keys() & new.keys() if old[topic]["x-key"] != new[topic]["x-key"]]


def _read(path: Path) -> Any:  # Any: it is JSON
    return json.loads(path.read_text(encoding="utf-8"))


def export(folder: Path) -> int:
    """Writes the documents below `folder`; the number of breaking changes, with nothing written if there are any."""
    new = documents()
    found = breakages(folder, new)
    for sentence in found:
        sys.stderr.write(f"{sentence}\n")
    if found:
        sys.stderr.write("Nothing was written. Leave the published type as it is and make a new one, such as ….v2.\n")
        return len(found)
    (folder / "schemas").mkdir(exist_ok=True)
    for name, document in new.items():
        (folder / name).write_text(rendered(document), encoding="utf-8")
    sys.stdout.write(f"{len(new)} documents written\n")
    return 0


if __name__ == "__main__":
    sys.exit(1 if export(FOLDER) else 0)
