"""What the repository says of itself is true: links lead somewhere, commands exist, picture and locks are current."""

import importlib
import re
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mycelium.cli import app
from shared.contracts.topics import EVENT_TOPICS, SERVICES, Topic
from shared.plumbing.settings import ProcessSettings
from tests.servers.docker import KAFKA_IMAGE, MONGO_IMAGE

ROOT = Path(__file__).parents[2]
HIDDEN_BUT_OURS = {".ci", ".gitignore", ".dockerignore"}
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("npmjs", "com"),
        ("repo", "maven", "apache", "org"),
        ("repo1", "maven", "org"),
        ("deb", "debian", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
    )
]
PLACES = ["/".join(("", *parts, "")) for parts in (("work",), ("root",), ("tmp", "w"))]
IMAGES = sorted((*SERVICES, "gateway"))
MONITORING = {"prom/prometheus:v3.5.0", "grafana/grafana:12.1.0"}


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Everything that is ours below `folder`, and nothing that was made or installed there."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") and path.name not in HIDDEN_BUT_OURS:
            continue
        if path.name in ("__pycache__", "build") or path.suffix == ".egg-info":
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


DOCUMENTS = [path for path in files() if path.suffix == ".md"]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_commands_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {*re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)} <= targets
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    groups = {group.name for group in app.registered_groups}
    assert {*re.findall(r"(?:^|`|/)mycelium ([a-z-]+)", text, re.MULTILINE)} <= commands | groups


def test_no_file_names_a_package_registry_or_a_place_on_somebodys_machine() -> None:
    unwanted = re.compile("|".join(map(re.escape, [*HOSTS, *PLACES])).encode())
    assert [f"{named(path)}: {found}" for path in files() for found in unwanted.findall(path.read_bytes())] == []


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(folder.glob("[0-9]*.md"))
    assert re.findall(r"\[(\d{4})\]\((.+?)\)", index) == [(page.name[:4], page.name) for page in pages]


def test_the_picture_shows_what_is_there() -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "pictures" / "make.py"))["picture"]()
    committed = (ROOT / "docs" / "pictures" / "flow.svg").read_text(encoding="utf-8")
    assert committed == drawn, "run .venv/bin/python docs/pictures/make.py"


@pytest.mark.parametrize("name", IMAGES)
def test_every_setting_is_explained(name: str) -> None:
    settings: type[ProcessSettings] = importlib.import_module(f"services.{name}.settings").Settings
    [table] = re.findall(r"## Settings\n(.*?)\n## ", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    assert {field.upper() for field in settings.model_fields} - {*re.findall(r"`([A-Z_]+)`", table)} == set()


@pytest.mark.parametrize("topic", EVENT_TOPICS, ids=lambda topic: topic.name)
def test_the_architecture_says_who_reads_a_topic(topic: Topic) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    [row] = re.findall(rf"^\| `{re.escape(topic.name)}` \|.*$", text, re.MULTILINE)
    assert re.findall(r"[a-z]+", row.split("|")[3]) == [*topic.consumers]


def pins(lock: Path) -> Mapping[str, frozenset[str]]:
    """Each `name==version` of a lock, with its hashes."""
    blocks = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8"))
    return {block.split()[0]: frozenset(re.findall(r"sha256:[0-9a-f]{64}", block)) for block in blocks if block.strip()}


@pytest.mark.parametrize("service", IMAGES)
def test_an_image_has_the_very_packages_that_are_tested(service: str) -> None:
    tested = pins(ROOT / "requirements.lock")
    shipped = pins(ROOT / "deploy" / "locks" / f"{service}.txt")
    assert len(shipped) > 10
    assert {pin for pin, hashes in shipped.items() if tested.get(pin) != hashes or not hashes} == set(), "run make lock"


def test_compose_runs_every_service_and_the_servers_of_the_tests() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert sorted(re.findall(r"SERVICE: ([a-z]+)", compose)) == IMAGES
    assert set(re.findall(r"image: (\S+)", compose)) - MONITORING == {KAFKA_IMAGE, MONGO_IMAGE}
