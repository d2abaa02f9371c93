"""Settings come from the environment, are checked before anything connects, and never change afterwards."""

import sys
from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

Secret = Annotated[SecretStr, Field(min_length=32)]
Collector = Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$")]


class KafkaSettings(BaseSettings):
    """What whoever publishes needs: the brokers, and whether they know idempotent producers."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    kafka_bootstrap_servers: str
    kafka_enable_idempotence: bool = True


class ProcessSettings(KafkaSettings):
    """What every process has: where it listens, its brokers, and the key that signs calls between processes.

    With `otel_exporter_otlp_endpoint`, the URL of an OpenTelemetry collector, requests and events are traced.
    """

    host: str = "127.0.0.1"
    port: int
    log_level: str = "INFO"
    internal_key: Secret
    otel_exporter_otlp_endpoint: Collector = ""


class ServiceSettings(ProcessSettings):
    """What every service with a projection has besides. Times are in milliseconds, sizes in records."""

    mongo_url: str
    kafka_session_timeout_ms: int = 10_000
    kafka_heartbeat_interval_ms: int = 3_000
    kafka_delete_records: bool = True
    batch_max_records: int = 1_000
    give_up_after_seconds: float = 60.0
    stuck_after_seconds: float = 60.0


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S]) -> S:
    """The settings from the environment. What is missing or wrong is named, and ends the process with code 2."""
    try:
        return settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(step) for step in problem["loc"]).upper()
            sys.stderr.write(f"Setting {name}: {problem['msg']}. Set it in the environment and start again.\n")
        raise SystemExit(2) from None
