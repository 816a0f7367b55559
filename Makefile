# Sets up .venv and runs what the README shows. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test lint clean

help:
	@echo "make demo   set up, super-resolve the bundled simulated patient, draw the figures into demo/"
	@echo "make test   set up, check style, run all tests"
	@echo "make clean  remove what these made"

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,test]'
	touch $@

demo: $(STAMP)
	$(BIN)/mrsi-superres demo --output demo

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

test: lint
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) demo build *.egg-info
