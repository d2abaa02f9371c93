"""Ending a Kafka consumer."""

import asyncio

from aiokafka import AIOKafkaConsumer


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Leaves the group and closes the connections. Raises CancelledError only where the caller is cancelled.

    While its broker is away, aiokafka (0.14) ends `stop` with the CancelledError of a fetch that waited to be tried
    again, before it has closed the connections. Who takes that for their own cancellation ends without a word.
    """
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        await consumer._client.close()
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
