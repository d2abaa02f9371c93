# Everything a newcomer needs: `make run` shows it, `make test` proves it. `.venv` is made from the lock file.
PYTHON ?= python3
BIN := .venv/bin
UV := 0.13.9
# Each worker starts servers of its own; those that the environment names are for one run alone. In the order of the
# folders: the long files are not left for the end.
PARALLEL := $(if $(MONGO_URL)$(KAFKA_BOOTSTRAP_SERVERS),,-n auto --maxprocesses=4 --dist loadfile --no-loadscope-reorder)
IMAGES := activity purchases profile analytics gateway

.PHONY: run test browser check format lint types mutants attack chaos bench schemas messages pictures lock clean
.DEFAULT_GOAL := run

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	@echo "Making .venv from requirements.lock (once; about a minute)"
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV); }
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q shared services mycelium
	@touch $@

run: .venv/.ready ## start everything with demo data; prints the address and a login
	@$(BIN)/mycelium up --demo

test: .venv/.ready ## every test, on real servers, but for those that need a browser
	@$(BIN)/pytest -q $(PARALLEL) --ignore=tests/browser

browser: .venv/.ready ## the pages in Chromium, which has to be there: apt-get install chromium fonts-dejavu-core
	@$(BIN)/pytest -q tests/browser

check: .venv/.ready lint types test browser ## what CI asks of a change

format: .venv/.ready
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: .venv/.ready
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/lint-imports --no-cache

types: .venv/.ready
	@$(BIN)/mypy

mutants: .venv/.ready ## plant one bug after the other, or the one that ONLY names, and see which the tests let pass
	@$(BIN)/python -m tests.mutants.run $(ONLY)

attack: .venv/.ready ## the API, every consumer and every page under a longer attack than in the tests
	@ATTACK_TIMES=20 $(BIN)/pytest -n 0 -q -s tests/attack

chaos: .venv/.ready ## 200 faults over 200,000 events, and nothing may be lost or doubled; KAFKA=apache, SEED=7
	@$(BIN)/python -m tests.chaos --faults 200 --events 200000 $(if $(KAFKA),--kafka $(KAFKA)) $(if $(SEED),--seed $(SEED))

bench: .venv/.ready ## ratios against the bare libraries, in one run
	@$(BIN)/python -m bench

schemas: .venv/.ready ## export the JSON Schemas and the AsyncAPI document; refuses a breaking change
	@$(BIN)/python -m shared.contracts.export

messages: .venv/.ready ## bring the catalogues of the pages' languages in step with their texts
	@$(BIN)/python -m services.gateway.pages.catalogues

pictures: .venv/.ready ## make the pictures of the README and the docs anew; needs Chromium
	@$(BIN)/python docs/pictures/make.py
	@$(BIN)/python -m docs.pictures.screens

lock: .venv/.ready ## pin what pyproject.toml asks for, with hashes
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --group dev --extra stack pyproject.toml -o requirements.lock
	@for service in $(IMAGES); do $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --extra $$service --constraint requirements.lock pyproject.toml -o deploy/locks/$$service.txt || exit 1; done
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate .ci/tools.in -o .ci/tools.lock

clean:
	rm -rf .venv .mycelium
