# Sets up .venv and runs what the README shows. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# What Qt needs of a Debian system, for the tests of the Slicer module.
QT_LIBRARIES := libgl1 libegl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libfreetype6 libxkbcommon0 libx11-6 \
	fonts-dejavu-core
QT_WORKS := QT_QPA_PLATFORM=offscreen $(BIN)/python -c 'import PySide6.QtWidgets, vtk' 2>/dev/null && \
	{ [ ! -f /etc/debian_version ] || [ -f /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ]; }

.PHONY: help demo test test-fast lint docs libraries clean

help:
	@echo "make demo       set up, super-resolve the bundled simulated patient, draw the figures into demo/"
	@echo "make test       set up, check style and types, run all tests"
	@echo "make test-fast  set up, run the tests marked fast: about a minute"
	@echo "make lint       set up, check style and types"
	@echo "make docs       set up, build the manual into docs/_build/html; a warning is an error"
	@echo "make clean      remove what these made"

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,prepare,cluster,docs,test,module-test]'
	touch $@

demo: $(STAMP)
	$(BIN)/mrsi-superres demo --output demo

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(STAMP)
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html
	@echo docs/_build/html/index.html

libraries: $(STAMP)
	@{ $(QT_WORKS); } || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update --quiet=2 && \
		DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends $(QT_LIBRARIES) && \
		{ $(QT_WORKS); }; } || { \
		echo "The tests of the Slicer module need system libraries. Install, as root:" >&2; \
		echo "    apt-get install --no-install-recommends $(QT_LIBRARIES)" >&2; exit 1; }

# A process a core, each with one thread; four at most, since each holds PyTorch and Slicer's MRML in memory.
test: lint libraries
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

# The core's quick tests, which need no library of the system.
test-fast: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m fast --numprocesses logical --maxprocesses 4 --dist worksteal

clean:
	rm -rf $(VENV) demo build docs/_build docs/api/generated *.egg-info
