# Needs make and a python3 of 3.11 or newer; everything else is set up in .venv from requirements.lock.
PYTHON ?= python3
ROWS ?=
SECONDS ?= 60
MUTANTS ?=
SAMPLE ?=
SEED ?=
ARGS ?=
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
IMAGE ?= outbox-relay:$(VERSION)

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP = $(BIN)/pip install --quiet --disable-pip-version-check
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-annotate --no-emit-index-url --custom-compile-command "make lock"

# Modules are compiled once, for all processes and all runs.
export PYTHONDONTWRITEBYTECODE =
# More workers than processors: much of a test is waiting.
WORKERS ?= 6
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS)

# Nothing that needs more than PostgreSQL, nor the model and the faces that have a folder each:
# `make test` has them.
QUICK = -m "not slow and not early and not kafka and not processes" \
  $(addprefix --ignore tests/,acceptance console demo deployment faults model package service/api soak \
    support)

# What our code asks of a library without Kafka and the tools of development, for versions other
# than the locked ones; what a writer asks is apart, for the oldest that a service may have.
WRITERS = $(addprefix tests/service/,asyncpg django events sqlalchemy test_kinds.py test_targets.py)
VERSIONED = $(addprefix tests/,settings formats service daemon/kafka/test_error_scope.py \
  daemon/kafka/test_gapless_producer.py daemon/kafka/test_partitioner.py \
  daemon/kafka/test_properties.py) -m "not slow and not kafka" \
  $(addprefix --ignore tests/,settings/test_settings_docs.py service/api service/redaction)
PYTHON_VERSION = $(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
RESOLVE = $(BIN)/uv pip compile --quiet --upgrade --no-header --no-annotate \
  --python-version $(PYTHON_VERSION) pyproject.toml
TESTED = --extra all --extra test

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-quick test-servers test-slow test-lowest test-newest test-newer mutants bench soak lint format lock chart-docs pictures settings-docs image sbom deploy-all undeploy-all clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(READY) ## create .venv from requirements.lock (done by every other target too)

# uv, of the version that is locked, takes a tenth of pip's time; where pip alone knows from where to
# install, pip does. Nothing is compiled here: most modules are never imported.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3" >&2; exit 2; }
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	awk '/^uv==/ { found = 1 } found; found && !/\\$$/ { exit }' requirements.lock >$(VENV)/uv.txt
	$(PIP) --no-compile --require-hashes -r $(VENV)/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock \
	  || $(PIP) --no-compile --require-hashes -r requirements.lock
	$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

demo: $(READY) ## a simulated installation, relayed to a broker; make demo ARGS="--events 500 --json"
	$(BIN)/relay demo $(ARGS)

test: $(READY) ## every test but the slow ones; make test ARGS="-k claim"
	$(PYTEST) $(ARGS)

test-quick: $(READY) ## what needs no processes but PostgreSQL, in a minute or so
	$(PYTEST) $(QUICK) $(ARGS)

test-servers: $(READY) ## hold a PostgreSQL and a Kafka for many test sessions, until Ctrl-C
	@$(BIN)/python -m tests.support.servers

test-slow: $(READY) ## the slow tests alone
	$(PYTEST) -m slow $(ARGS)

test-lowest: $(READY) ## tests that need no Kafka, on the lowest versions that pyproject.toml allows
	@mkdir -p build
	$(RESOLVE) $(TESTED) --resolution lowest-direct --output-file build/lowest.txt
	$(call run_on,lowest,-W ignore::DeprecationWarning $(addprefix --ignore ,$(WRITERS)))
# A service alone may have an older psycopg than the relay needs.
	$(RESOLVE) --resolution lowest-direct --output-file build/base.txt
	$(BIN)/uv pip install --quiet --python build/lowest/bin/python --no-deps --requirement build/base.txt
	build/lowest/bin/pytest --numprocesses 2 $(WRITERS) $(ARGS)

test-newest: $(READY) ## the same on the newest versions, where these are not the locked ones
	@mkdir -p build
	$(RESOLVE) $(TESTED) --output-file build/newest.txt
	@if grep --extended-regexp --only-matching '^[a-z0-9-]+==[^ ;]+' requirements.lock \
	  | grep --invert-match --line-regexp --fixed-strings --file - build/newest.txt >build/newer.txt; \
	then echo "Newer than requirements.lock:" && cat build/newer.txt; \
	else echo "The newest versions are those of requirements.lock, which the other tests have."; fi
	@test ! -s build/newer.txt || $(MAKE) --no-print-directory test-newer

test-newer: $(READY)
	$(call run_on,newest)

define run_on
$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/$(1)
$(BIN)/uv pip sync --quiet --python build/$(1)/bin/python build/$(1).txt
$(BIN)/uv pip install --quiet --python build/$(1)/bin/python --no-deps --editable .
build/$(1)/bin/pytest --numprocesses 2 $(2) $(VERSIONED) $(ARGS)
endef

mutants: $(READY) ## change the code here and there: does a test notice? make mutants MUTANTS=relay.daemon.kafka.holds SAMPLE=200
	nice $(BIN)/python -m tests.mutation $(MUTANTS) $(if $(SAMPLE),--sample $(SAMPLE)) \
	  $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: $(READY) ## measure on real Kafka, writes benchmarks/latest.json; make bench ROWS=20000 is short
	$(BIN)/python -m benchmarks $(if $(ROWS),--rows $(ROWS)) $(ARGS)

soak: $(READY) ## real processes under random faults; make soak SECONDS=600 SEED=7
	$(BIN)/python -m tests.soak --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

lint: $(READY) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## let ruff repair and format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock: $(READY) ## resolve pyproject.toml again, into requirements.lock and, for the image, requirements.runtime.lock
	$(COMPILE) --all-extras --output-file requirements.lock pyproject.toml
# What the output held before is preferred: the same versions.
	cp requirements.lock requirements.runtime.lock
	$(COMPILE) --extra daemon --extra api --extra console --output-file requirements.runtime.lock pyproject.toml

chart-docs: $(READY) ## write the chart's README and docs/rendered from the chart
	$(BIN)/python -m deploy.chart_docs

pictures: $(READY) ## take the pictures of docs/console.md again; needs Debian's chromium and pngquant
	$(BIN)/python -m tests.console.pictures

settings-docs: $(READY) ## write docs/configuration.md from the settings
	$(BIN)/python -m deploy.settings_docs

image: ## build the container image; make image IMAGE=registry/outbox-relay:1
	docker build --tag $(IMAGE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) .

sbom: $(READY) ## a bill of materials of what the image installs, in sbom.json (CycloneDX)
	$(PYTHON) -m venv --clear --without-pip build/runtime
	$(BIN)/pip --python build/runtime install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements.runtime.lock
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file sbom.json build/runtime

deploy-all: ## everything in the current Kubernetes context; make deploy-all ENABLE_EVENT_STREAMING=true
	ENABLE_EVENT_STREAMING=$(ENABLE_EVENT_STREAMING) EVENT_STREAM_PRESET=$(EVENT_STREAM_PRESET) \
	  PARTITIONS=$(PARTITIONS) IMAGE=$(IMAGE) deploy/all.sh up

undeploy-all: ## remove what deploy-all made, its data included
	deploy/all.sh down

clean: ## remove .venv, caches and build results
	rm -rf $(VENV) .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
