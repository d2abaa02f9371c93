"""Waiting that ends early."""

import asyncio


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Waits until `event` is set, for `seconds` at most; whether it was set."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
