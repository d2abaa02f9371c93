"""What docs/api.md shows to clients is what the gateway describes."""

import re
from pathlib import Path

import orjson
import pytest
from jsonschema import Draft202012Validator

from services.gateway.description import Problem
from tests.unit.gateway.test_description import DESCRIPTION, OPERATIONS

TEXT = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
COMMANDS = [
    command
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for command in re.findall(r"curl .*", block.replace("\\\n", " "), re.DOTALL)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_an_operation_with_a_body_as_described(command: str) -> None:
    [path] = re.findall(r"\$API(/[a-zA-Z/$_]+)", command)
    path = re.sub(r"\$([A-Z]+)(_ID)?", lambda name: f"{{{name[1].lower()}_id}}", path)
    body = re.search(r"--json '(.*?)'", command, re.DOTALL)
    named = re.search(r"--request ([A-Z]+)", command)
    method = named[1].lower() if named else "post" if body else "get"
    operation = OPERATIONS[f"{method} /api/v1{path}"]
    assert bool(operation.get("security")) == ("Authorization: Bearer $TOKEN" in command)
    if body:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        validator = Draft202012Validator(schema | {"components": DESCRIPTION["components"]})
        validator.validate(orjson.loads(body[1]))
    known = {parameter["name"] for parameter in operation.get("parameters", [])}
    used = re.findall(r"--data-urlencode '?([a-z_]+)=|\?([a-z_]+)=", command)
    assert {name for pair in used for name in pair if name} <= known


def test_every_operation_is_shown() -> None:
    operations = [name for name in OPERATIONS if " /api/v1/" in name]
    assert len(COMMANDS) == len(operations) + 1  # the filters of the timeline are shown apart


def test_every_parameter_of_the_list_is_explained() -> None:
    rows = re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {parameter["name"] for parameter in OPERATIONS["get /api/v1/activities"]["parameters"]} <= named


def test_every_kind_of_problem_is_explained() -> None:
    [example] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    Problem.model_validate_json(example)
    explained = TEXT.partition("| status |")[2]
    for operation in OPERATIONS.values():
        for status, response in operation["responses"].items():
            if status >= "400":
                code = response["content"]["application/problem+json"]["example"]["type"].rpartition(":")[2]
                assert f"`{code}`" in explained or (code.endswith("-unavailable") and "`…-unavailable`" in explained)
