"""The AsyncAPI 3 document of the topics: what is where, who writes and who reads it, by what key, for how long.

It describes the whole system and not one application, so each party has its own `send` and `receive` operations.
"""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from shared.contracts.envelope import STRUCTURED, Payload, event_model
from shared.contracts.samples import good_event
from shared.contracts.topics import PAYLOADS, TOPICS, Topic

Json = dict[str, Any]  # Any: the document is JSON

_BINDING = {"bindingVersion": "0.5.0"}
_KEYS = {
    "user": "the user's email, the same as the event's subject",
    "product": "the product's id, the same as the event's subject",
    "erasure": "the erasure's id, the same as the event's subject",
    "dead letter": "the dead letter's id, the same as the event's subject",
    "as received": "the key of the record as it came",
}
_DEAD_LETTER_HEADERS = (
    "dlq_reason",
    "dlq_error",
    "dlq_topic",
    "dlq_partition",
    "dlq_offset",
    "dlq_attempts",
    "dlq_at",
)
_DEAD_LETTER: Json = {
    "name": "dead-letter",
    "summary": "A record that could not be used, byte for byte as it came; the headers say why, whence and when.",
    "contentType": "application/octet-stream",
    "headers": {"type": "object", "required": [*_DEAD_LETTER_HEADERS]},
    "payload": {"type": "string", "format": "binary"},
}


class PlainJsonSchema(GenerateJsonSchema):
    """JSON Schemas without the titles that only repeat a member's name."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002  (pydantic's signature)
        """No member gets a title."""
        return False


def asyncapi_document() -> Json:
    """The document, made from the declared topics, the event models and the good examples."""
    models = {name: event_model(payload) for name, payload in PAYLOADS.items()}
    schemas, definitions = models_json_schema(
        [(model, "validation") for model in models.values()],
        ref_template="#/components/schemas/{model}",
        schema_generator=PlainJsonSchema,
    )
    messages = {name: _message(PAYLOADS[name], schemas[model, "validation"]) for name, model in models.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Events of the Mycelium user dashboard",
            "version": "1.0.0",
            "description": "Every record is a CloudEvents 1.0 event. A breaking change is a new type, such as `….v2`.",
        },
        "defaultContentType": STRUCTURED,
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": dict(operation for topic in TOPICS for operation in _operations(topic)),
        "components": {"messages": messages | {"dead-letter": _DEAD_LETTER}, "schemas": definitions["$defs"]},
    }


def _message(payload: type[Payload], schema: Json) -> Json:
    name = payload.event_type
    return {
        "name": name,
        "summary": " ".join((payload.__doc__ or "").split()),
        "contentType": STRUCTURED,
        "payload": schema,
        "examples": [{"name": name, "payload": good_event(name)}],
    }


def _message_names(topic: Topic) -> list[str]:
    return [payload.event_type for payload in topic.payloads] or ["dead-letter"]


def _channel(topic: Topic) -> Json:
    configuration: Json = {name: int(value) if value.isdigit() else value for name, value in topic.config.items()}
    configuration["cleanup.policy"] = [topic.config["cleanup.policy"]]
    return {
        "address": topic.name,
        "description": f"The record key is {_KEYS[topic.key]}; order is promised per key and nothing more.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _message_names(topic)},
        "bindings": {
            "kafka": {"partitions": topic.partitions, "topicConfiguration": configuration, **_BINDING},
        },
        "x-key": topic.key,
        "x-producers": [*topic.producers],
        "x-consumers": [*topic.consumers],
    }


def _operations(topic: Topic) -> list[tuple[str, Json]]:
    parties = [("send", each) for each in topic.producers] + [("receive", each) for each in topic.consumers]
    return [
        (f"{party.replace(' ', '-')}.{action}.{topic.name}", _operation(action, topic)) for action, party in parties
    ]


def _operation(action: str, topic: Topic) -> Json:
    channel = f"#/channels/{topic.name}"
    messages = [{"$ref": f"{channel}/messages/{name}"} for name in _message_names(topic)]
    return {"action": action, "channel": {"$ref": channel}, "messages": messages}
