"""What docs/credentials.md tells publishers is true."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pydantic import SecretStr

from services.purchases.vault.make_keys import make_keys
from services.purchases.vault.unsealing import MAX_CHARACTERS, Unsealer
from shared.contracts.credentials import ALGORITHMS, MAX_VALUE_CHARACTERS, AccessCredentials

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "credentials.md").read_text(encoding="utf-8")
UNSEALER = Unsealer.parse(SecretStr(make_keys()["CREDENTIALS_PRIVATE_JWK"]))


class Gateway(BaseHTTPRequestHandler):
    """Serves the key set where the gateway does."""

    def do_GET(self) -> None:
        found = self.path == "/.well-known/jwks.json"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(UNSEALER.public_jwks())

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def gateway() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_the_python_example_makes_what_is_opened(gateway: str) -> None:
    [example] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    environment = os.environ | {"GATEWAY": gateway}
    made = subprocess.run([sys.executable, "-c", example], env=environment, capture_output=True, text=True, check=True)
    expected = {"username": "ada", "password": "correct horse battery"}
    assert UNSEALER.unseal(made.stdout.strip()) == AccessCredentials.model_validate(expected)


def test_the_limits_are_the_ones_that_are_kept() -> None:
    assert f"`alg` is `{ALGORITHMS[0]}`, `enc` is `{ALGORITHMS[1]}`" in TEXT
    assert f"most {MAX_VALUE_CHARACTERS:,} characters" in TEXT
    assert f"at most {MAX_CHARACTERS:,} characters" in TEXT
