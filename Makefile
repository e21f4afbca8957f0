# `make serve` and `make test` do all their set-up themselves: they need Python 3.11 to 3.13 and make.
#
#   PYTHON       the Python to make the virtual environment with
#   TORCH_INDEX  where to take PyTorch from, for tests and training: on a machine without a GPU,
#                https://download.pytorch.org/whl/cpu saves gigabytes

PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
# The versions of all that is installed are pinned: what worked when it was committed works today.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help serve runtime test lint check train-extra lock clean

help:
	@echo "make serve   the page on http://127.0.0.1:8000"
	@echo "make runtime fetch ONNX Runtime for browsers (33 MB): the page then reads without the server, too"
	@echo "make test    install what the tests need, then run linters and the whole suite"
	@echo "make lint    linters and types alone"
	@echo "make train-extra  install what training and the benchmarks need"
	@echo "make bundles/balanced [SPLIT=balanced] [DATA=data/emnist]"
	@echo "             train the default bundle anew: hours without a GPU; bundles/reference takes minutes."
	@echo "             SPLIT is pool47 unless given, which only the developers have"
	@echo "make clean   remove the virtual environment and caches"

serve: $(VENV)/.base
	$(BIN)/penread serve

test: lint
	$(BIN)/penread runtime
	$(BIN)/python tests/browser.py
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadscope

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# ONNX Runtime for browsers: with it `make serve`'s page can read on the visitor's own device, too.
runtime: $(VENV)/.base
	$(BIN)/penread runtime

# penread with its training extra, without the tools of development.
train-extra: $(VENV)/.train

# The bundles that ship, from the first training on. A training that was stopped goes on with
# `penread train --resume --out runs/...`; what is there is not made again.
SPLIT ?= pool47
DATA ?= data/emnist
TRAIN = $(BIN)/penread train --split $(SPLIT) --data-dir $(DATA) --seed 1 --out $@ --recipe
EXPORT = $(BIN)/penread export --data-dir $(DATA) --out $@

runs/large: | $(VENV)/.train
	$(TRAIN) large
runs/large-tuned: | runs/large
	$(TRAIN) large-tuned --teacher runs/large
runs/medium: | runs/large-tuned
	$(TRAIN) medium --teacher runs/large-tuned
runs/best: | runs/large-tuned runs/medium
	$(TRAIN) best --teacher runs/large-tuned --teacher runs/medium
bundles/balanced: | runs/best
	$(EXPORT) --int8 runs/best
runs/reference: | $(VENV)/.train
	$(TRAIN) reference
bundles/reference: | runs/reference
	$(EXPORT) runs/reference

# Take the newest versions and pin them; torch, gigabytes of it, is moved by hand.
lock:
	rm -rf $(VENV)
	grep '^torch==' constraints.txt > constraints.new && mv constraints.new constraints.txt
	$(MAKE) $(VENV)/.dev
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt
	rm -f deploy/build-requirements.txt
	$(MAKE) deploy/requirements.txt

# What the image installs, with the hashes of its files: what pyproject.toml asks for, at the versions above, for every
# Python that penread runs on and every processor.
COMPILE = $(VENV)/lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --only-binary :all: \
  --generate-hashes --constraint constraints.txt --custom-compile-command 'make lock'

deploy/requirements.txt: pyproject.toml constraints.txt | $(VENV)/.venv
	$(BIN)/python -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' | \
	  $(COMPILE) --output-file deploy/build-requirements.txt -
	$(COMPILE) --output-file $@ pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "penread needs Python 3.11, 3.12 or 3.13; say which: make $(MAKECMDGOALS) PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "Python has no venv module here; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.base: $(VENV)/.venv pyproject.toml constraints.txt
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.train: $(VENV)/.base
	$(INSTALL) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX) --no-deps) torch
	$(INSTALL) --editable '.[train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	$(INSTALL) --group test --group lint
	@touch $@
