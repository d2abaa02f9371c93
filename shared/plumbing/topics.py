"""Makes the topics that do not exist yet, as they are declared."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.topics import TOPICS, Topic


async def ensure_topics(bootstrap_servers: str) -> None:
    """Creates every declared topic that is missing, with its partitions and its settings; leaves the others alone.

    Raises aiokafka.errors.KafkaError where the broker cannot be reached or refuses.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        if missing := [_new(topic) for topic in TOPICS if topic.name not in existing]:
            _check(await admin.create_topics(missing))
    finally:
        await admin.close()


def _new(topic: Topic) -> NewTopic:
    """With as many replicas as the broker makes by itself, which the client has no argument for."""
    new = NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.config)
    new.replication_factor = -1
    return new


def _check(response: object) -> None:
    for topic, code, _message in response.topic_errors:  # type: ignore[attr-defined]
        error: type[KafkaError] = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(f"topic {topic} could not be created")
