"""What is deployed is what the code reads and measures: manifests, rules, runbook and dashboard against the modules."""

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from shared.contracts.topics import EVENT_TOPICS, PARTITIONS, SERVICES
from shared.plumbing import metrics
from shared.plumbing.settings import ProcessSettings

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
BASE = KUBERNETES / "base"
PROMETHEUS = ROOT / "deploy" / "prometheus"
PROCESSES = (*SERVICES, "gateway")
TRACING = {
    *re.findall(r"\bOTEL_[A-Z_]+\b", (KUBERNETES / "components" / "tracing" / "kustomization.yaml").read_text("utf-8"))
}
BY_THE_IMAGE = {"HOST", "PORT"}
FROM_ELSEWHERE = {
    "up",
    "ALERTS",
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
}
ENTRY = ("**What it means.**", "**Look.**", "**Do.**", "**Wake somebody**")
Yaml = Any  # what a YAML file says


def every(path: Path) -> list[Yaml]:
    return [*yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def one(path: Path, kind: str, name: str | None = None) -> Yaml:
    [found] = [m for m in every(path) if m["kind"] == kind and name in {None, m["metadata"]["name"]}]
    return found


def container(process: str) -> Yaml:
    [found] = one(BASE / f"{process}.yaml", "Deployment")["spec"]["template"]["spec"]["containers"]
    return found


def config_maps(*kustomizations: Path) -> Mapping[str, Mapping[str, str]]:
    """What the ConfigMaps say, by their names."""
    made = [each for path in kustomizations for each in every(path)[0].get("configMapGenerator", [])]
    maps: dict[str, dict[str, str]] = {}
    for each in made:
        maps.setdefault(each["name"], {}).update(line.split("=", 1) for line in each["literals"])
    return maps


def settings_of(process: str) -> type[ProcessSettings]:
    settings: type[ProcessSettings] = importlib.import_module(f"services.{process}.settings").Settings
    return settings


MAPS = config_maps(BASE / "kustomization.yaml")
EXAMPLE = config_maps(BASE / "kustomization.yaml", KUBERNETES / "overlays" / "example" / "kustomization.yaml")


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_is_given_what_it_reads_and_nothing_else(process: str) -> None:
    fields = settings_of(process).model_fields
    said = [each["configMapRef"]["name"] for each in container(process)["envFrom"]]
    given = [name for map_ in said for name in MAPS[map_]] + [each["name"] for each in container(process)["env"]]
    assert len(given) == len({*given}), "said twice"
    assert {*given} - {field.upper() for field in fields} == set()
    required = {field.upper() for field, info in fields.items() if info.is_required()}
    assert required - {*given} - BY_THE_IMAGE == set()


@pytest.mark.parametrize("process", PROCESSES)
def test_what_compose_gives_a_process_a_cluster_can_give_it(process: str) -> None:
    [compose] = every(ROOT / "docker-compose.yml")
    said = [each["configMapRef"]["name"] for each in container(process)["envFrom"]]
    given = {name for map_ in said for name in MAPS[map_]} | {each["name"] for each in container(process)["env"]}
    by_a_component = {"gateway": {"OIDC_ISSUER", "OIDC_AUDIENCE"}, "analytics": {*EXAMPLE["mail"], "SMTP_URL"}}
    in_compose = compose["services"][process]["environment"].keys()
    assert in_compose - given == by_a_component.get(process, set()) | TRACING


@pytest.mark.parametrize("process", PROCESSES)
def test_the_settings_are_ones_that_it_starts_with(process: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in container(process)["envFrom"]:
        for name, value in EXAMPLE[each["configMapRef"]["name"]].items():
            monkeypatch.setenv(name, value)
    secrets = {each["name"]: "s" * 40 for each in container(process)["env"]}
    if process == "purchases":
        secrets |= importlib.import_module("services.purchases.vault.make_keys").make_keys()
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    settings_of(process)()


def test_what_mail_and_an_outside_issuer_need_is_what_is_read() -> None:
    analytics = {field.upper() for field in settings_of("analytics").model_fields}
    assert {*EXAMPLE["mail"], "SMTP_URL"} <= analytics
    about_it = (KUBERNETES / "components" / "oidc" / "kustomization.yaml").read_text(encoding="utf-8")
    named = {*re.findall(r"\b(OIDC_[A-Z]+)\b", about_it)}
    assert named == {field.upper() for field in settings_of("gateway").model_fields if field.startswith("oidc_")}


def test_what_switches_traces_on_is_what_every_process_reads() -> None:
    for process in PROCESSES:
        [name] = [field.upper() for field in settings_of(process).model_fields if field.startswith("otel_")]
        assert name in TRACING
    assert {*re.findall(r"`(OTEL_[A-Z_]+)`", (ROOT / "docs" / "tracing.md").read_text(encoding="utf-8"))} >= TRACING


@pytest.mark.parametrize("process", PROCESSES)
def test_ports_and_addresses_are_those_of_the_settings(process: str) -> None:
    port = settings_of(process).model_fields["port"].default
    assert container(process)["ports"] == [{"name": "http", "containerPort": port}]
    assert one(BASE / f"{process}.yaml", "Service")["spec"]["ports"] == [
        {"name": "http", "port": port, "targetPort": "http"}
    ]
    if process in SERVICES:
        assert MAPS["gateway"][f"{process.upper()}_URL"] == f"http://{process}:{port}"
    [scraping] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    assert [each["port"] for each in scraping["dns_sd_configs"] if each["names"] == [process]] == [port]


def test_each_secret_that_is_named_is_made() -> None:
    named = {
        (each["valueFrom"]["secretKeyRef"]["name"], each["name"])
        for process in PROCESSES
        for each in container(process)["env"]
    }
    script = (KUBERNETES / "make-secrets").read_text(encoding="utf-8")
    [made] = re.findall(r"for name in ([a-z ]+); do", script)
    assert {secret for secret, _ in named} == {*made.split()}
    keys = importlib.import_module("services.purchases.vault.make_keys").make_keys()
    assert {key for _, key in named} == {*re.findall(r"([A-Z_]+)=%?s?(?=\\n|%s)", script), *keys}


def test_nobody_talks_to_a_service_but_the_gateway_and_prometheus() -> None:
    policies = {m["metadata"]["name"]: m["spec"] for m in every(BASE / "network.yaml")}
    assert policies["nothing-else"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    [into_services] = policies["services"]["ingress"]
    assert into_services["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}]
    [into_all] = policies["every-process"]["ingress"]
    assert [each["podSelector"]["matchLabels"] for each in into_all["from"]] == [
        {"app.kubernetes.io/name": "prometheus"}
    ]
    [out] = policies["gateway"]["egress"]
    ports = [settings_of(service).model_fields["port"].default for service in SERVICES]
    assert sorted(each["port"] for each in out["ports"]) == sorted(ports)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_scaled_up_to_its_partitions(service: str) -> None:
    scaled = one(BASE / "scaling.yaml", "ScaledObject", service)["spec"]
    assert scaled["maxReplicaCount"] == PARTITIONS


GROUPS = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
SHOWN = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def names_of_ours() -> Iterator[str]:
    """Each name under which one of our metrics is exported."""
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            [said] = metric.describe()
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(said.type, ("",))
            yield from (said.name + suffix for suffix in suffixes)


def names_in(expression: str) -> set[str]:
    """The metrics that a PromQL expression reads."""
    bare = re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"|\b(by|on|without|ignoring) \([^)]*\)|\boffset \w+', " ", expression)
    bare = re.sub(r"\b\w+\s*\(", "(", bare)
    return {*re.findall(r"[a-zA-Z_][\w:]*", bare)} - {"and", "or", "unless"}


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in RULES), *SHOWN])
def test_an_expression_reads_only_what_there_is(expression: str) -> None:
    found = names_in(expression)
    assert found
    assert found - {*names_of_ours()} - RECORDED - FROM_ELSEWHERE == set()


def test_a_name_that_is_not_there_is_found() -> None:
    assert names_in('sum by (app) (rate(mycelium_gone_total{a="b"}[5m])) > 1 and x:y:sum') == {
        "mycelium_gone_total",
        "x:y:sum",
    }


def test_each_metric_is_explained_and_is_looked_at() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    explained = {*re.findall(r"`(mycelium_[a-z_]+)`", operations)}
    ours = {*names_of_ours()}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in ours}
    assert families - explained == set()
    read = {name for expression in [*(rule["expr"] for rule in RULES), *SHOWN] for name in names_in(expression)}
    assert families - {re.sub(r"_(bucket|sum|count)$", "", name) for name in read} == set()


def test_the_dashboard_draws_each_panel_once() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len({*ids}) > 20
    assert all(panel["type"] == "row" or panel["targets"] for panel in DASHBOARD["panels"])
    [source] = yaml.safe_load((ROOT / "deploy" / "grafana" / "datasources.yml").read_text())["datasources"]
    [chosen] = DASHBOARD["templating"]["list"]
    assert chosen["current"]["value"] == source["uid"]


def runbook() -> Mapping[str, str]:
    """The runbook's entries, by the alert."""
    _, *entries = re.split(r"^### ", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title: text for title, _, text in (entry.partition("\n") for entry in entries)}


def test_each_alert_has_its_entry_and_each_entry_its_alert() -> None:
    assert [*runbook()] == [*ALERTS]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_is_wrong_and_what_to_do(alert: str) -> None:
    rule, entry = ALERTS[alert], runbook()[alert]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{alert.lower()}"
    assert rule["annotations"]["summary"]
    assert [part for part in ENTRY if part in entry] == [*ENTRY]
    wakes = re.search(r"\*\*Wake somebody\*\* (\w+)", entry)
    assert wakes
    assert (wakes[1] == "no") == (rule["labels"]["severity"] == "ticket"), "the runbook and the rule do not agree"


def test_each_alert_is_tested() -> None:
    tests = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text(encoding="utf-8"))["tests"]
    fired = [case["alertname"] for each in tests for case in each["alert_rule_test"] if case.get("exp_alerts")]
    quiet = [case["alertname"] for each in tests for case in each["alert_rule_test"] if not case.get("exp_alerts")]
    assert fired == quiet == [*ALERTS]


def test_somebody_is_woken_when_a_partition_is_not_read() -> None:
    said = dict(re.findall(r'app="([a-z]+)"\}\) < (\d+)', ALERTS["PartitionsUnread"]["expr"]))
    consumed = {s: sum(topic.partitions for topic in EVENT_TOPICS if s in topic.consumers) for s in SERVICES}
    assert {service: int(number) for service, number in said.items()} == consumed


def indexed(service: str) -> set[str]:
    """The collections of a service that have indexes."""
    made = importlib.import_module(f"services.{service}.main").build_app
    names = made.__globals__
    return {*names.get("_INDEXES", names.get("INDEXES"))}


@pytest.mark.parametrize("service", SERVICES)
def test_each_collection_has_its_shard_key(service: str) -> None:
    scale = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\| {service} \| (.+?) \| `(\{{.+?\}}|none)` \|", scale, re.MULTILINE)
    named = {name for collections, _ in rows for name in re.findall(r"`([a-z_]+)`", collections)}
    assert indexed(service) - named == set()


def test_the_readme_names_what_can_be_put_in() -> None:
    readme = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    components = sorted(path.name for path in (KUBERNETES / "components").iterdir())
    assert [name for name in components if f"components/{name}" not in readme] == []
