"""A gateway that is not connected to anything: enough for what needs no server."""

from pydantic import SecretStr

from services.gateway.settings import Settings

TOKEN_KEY = SecretStr("the key of the users' tokens, for tests")
SETTINGS = Settings.model_validate(
    {
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "internal_key": "the key between processes, for tests",
        "token_key": TOKEN_KEY,
        "export_key": "the key that seals the exports, for tests",
        "activity_url": "http://127.0.0.1:2",
        "purchases_url": "http://127.0.0.1:2",
        "profile_url": "http://127.0.0.1:3",
        "analytics_url": "http://127.0.0.1:4",
    }
)
