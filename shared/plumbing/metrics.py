"""Every metric, declared once. No label ever holds a user's data."""

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86_400)

RECORDS = Counter("mycelium_records", "Records consumed, by what became of them", ["outcome"])
DEAD_LETTERS = Counter("mycelium_dead_letters", "Records put into the dead letters", ["topic", "reason"])
BATCH_RECORDS = Histogram(
    "mycelium_batch_records", "Records in a batch", buckets=(1, 10, 50, 100, 250, 500, 1_000, 2_500)
)
BATCH_SECONDS = Histogram("mycelium_batch_seconds", "From a batch fetched to its offsets committed", buckets=_FAST)
BATCH_RETRIES = Counter("mycelium_batch_retries", "Batches tried again after a fault of ours or of a server")
FRESHNESS_SECONDS = Histogram(
    "mycelium_freshness_seconds", "From the time of a batch's oldest event to stored", buckets=_SLOW
)
LAG = Gauge("mycelium_consumer_lag_records", "Records on the held partitions that are not yet committed")
PARTITIONS = Gauge("mycelium_assigned_partitions", "Partitions that this process holds")
ILLEGAL_MOVES = Counter("mycelium_illegal_moves", "Changes of status that a purchase cannot make, as they were found")
OUTBOX_PENDING = Gauge("mycelium_outbox_pending", "Documents with events that are not yet published")
OUTBOX_AGE_SECONDS = Gauge(
    "mycelium_outbox_age_seconds", "Since the outbox was last found empty: no event in it is older"
)
CHECK_OK = Gauge("mycelium_check_ok", "1 while what /readyz looks at is well", ["check"])
KEYS_TO_REWRAP = Gauge("mycelium_data_keys_to_rewrap", "Users' data keys that still need an older KEK")
ERASURES = Gauge("mycelium_erasures_unfinished", "Erasures that not all services are done with")
ERASURE_AGE_SECONDS = Gauge("mycelium_erasure_age_seconds", "Since the oldest unfinished erasure was asked for")
REQUEST_SECONDS = Histogram(
    "mycelium_http_request_seconds", "Requests answered, by route and status", ["route", "status"], buckets=_FAST
)
OVERVIEW_PARTS = Counter(
    "mycelium_overview_parts", "Parts of overviews, by service and where they came from", ["service", "outcome"]
)
BREAKER_OPEN = Gauge("mycelium_breaker_open", "1 while questions to a service are not let through", ["service"])
STREAMS = Gauge("mycelium_open_streams", "Event streams that are open")
FOLLOWING = Gauge("mycelium_updates_followed", "1 while the gateway has read dashboard.updates to its end")
UPDATE_SECONDS = Histogram(
    "mycelium_update_seconds", "From a section stored to its user's streams and cache told", buckets=_SLOW
)
