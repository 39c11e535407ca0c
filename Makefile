# The house's commands. `make` alone prints them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Our own packages, installed editable without dependencies: the pinned, hashed files hold those.
PACKAGES := shared $(addprefix providers/,aws gcp vault azure) driver cli emulators
OWN := sscsi-shared sscsi-driver $(addprefix sscsi-provider-,aws gcp vault azure)
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
FIRE ?= full
.PHONY: help demo test e2e check images bench fire proto chart format lock clean docs picture

help:  ## Print these commands
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A stamp per requirement file: the demo needs less than the tests.
$(VENV)/%.stamp: requirements/%.txt $(addsuffix /pyproject.toml,$(PACKAGES))
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation $(addprefix -e ./,$(PACKAGES))
	@touch $@

demo: $(VENV)/demo.stamp  ## Secrets become files on a tmpfs, rotate and vanish; with local backends
	$(BIN)/sscsi demo

test: $(VENV)/dev.stamp  ## Every test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

e2e: $(VENV)/dev.stamp  ## Pods, classes and Secrets in the cluster of KUBECONFIG (docs/e2e.md)
	$(BIN)/python -m pytest -m cluster tests/e2e/cluster $(PYTEST_ARGS)

check: $(VENV)/dev.stamp  ## ruff, mypy, import-linter, generated stubs up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python proto/generate.py --check

images: $(VENV)/dev.stamp  ## Build the images with buildah, for this machine and arm64 (docker/README.md)
	$(BIN)/python docker/images.py $(IMAGES)

bench: $(VENV)/dev.stamp  ## Counts, memory and seconds
	$(BIN)/python -m bench

fire: $(VENV)/dev.stamp $(VENV)/fire.stamp  ## Kills, endurance, attacks: docs/fire.md (FIRE=short|full|soak FIRE_SEED= FIRE_PARTS=)
	$(BIN)/python -m fire --size=$(FIRE) $(if $(FIRE_SEED),--seed=$(FIRE_SEED)) $(FIRE_PARTS)

docs: $(VENV)/dev.stamp  ## The documentation's site, into build/site
	$(BIN)/python -m docs.tools.catalogue
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

picture: $(VENV)/dev.stamp  ## Draw what the demo prints: docs/pictures/demo.svg
	$(BIN)/python cli/picture.py

proto: $(VENV)/dev.stamp  ## Generate the gRPC code from proto/
	$(BIN)/python proto/generate.py

chart: $(VENV)/dev.stamp  ## Put the charts together; make their schemas, tables, dashboard and deploy/
	$(BIN)/python -m charts.make

format: $(VENV)/dev.stamp  ## Format and mend what ruff can
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

lock: $(VENV)/dev.stamp  ## Resolve requirements/*.in anew (universal, hashed, no index named)
	$(COMPILE) requirements/dev.in -o requirements/dev.txt
	$(COMPILE) -c requirements/dev.txt requirements/demo.in -o requirements/demo.txt
	$(COMPILE) -c requirements/dev.txt requirements/fire.in -o requirements/fire.txt
	$(COMPILE) -c requirements/dev.txt requirements/image-build.in -o requirements/image-build.txt
	for folder in driver providers/aws providers/gcp providers/vault providers/azure; do \
		printf './shared\n./%s\n' $$folder | $(COMPILE) -c requirements/dev.txt $(foreach own,$(OWN),--no-emit-package $(own)) - \
			-o requirements/image-$${folder##*/}.txt; done

clean:  ## Remove the virtual environment and caches
	rm -rf $(VENV) .venv-newest .tools .mypy_cache .ruff_cache .hypothesis build dist charts/*/charts
