# Every target prepares what it needs in .venv, is quick when nothing changed, and is all that CI calls.
# `dvc` commands are not hidden here: activate the environment (. .venv/bin/activate) and use them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# The extras of a remote are installed where the configuration names such a one.
REMOTES := $(shell grep -qsE '^ *url = (s3|ssh|webdavs?)://' .dvc/config .dvc/config.local && echo .venv/.installed-remotes)
# Where there is no terminal to show how far it is, pip says nothing.
PIP := .venv/bin/python -m pip install $(shell test -t 2 || echo --quiet) --disable-pip-version-check --require-hashes
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# DVC keeps what it believes of files in one folder for all users of a machine, and lets all of them write there.
.PHONY: install
install: .venv/.installed  ## create .venv with the locked requirements; keep DVC's state from other users
	@grep -qs '^ *site_cache_dir *=' .dvc/config.local || [ -n "$$(dvc config core.site_cache_dir 2>/dev/null)" ] || \
	for folder in "$${XDG_CACHE_HOME:-$${HOME:-/dev/null}/.cache}/dvc-site" '$(CURDIR)/.dvc/tmp/dvc-site'; do \
		mkdir -p "$$folder" 2>/dev/null && chmod 700 "$$folder" 2>/dev/null && \
			dvc config --quiet --local core.site_cache_dir "$$folder" && break; \
	done || echo "install: DVC's state stays where others may write" >&2

.PHONY: restore
restore: install $(REMOTES)  ## take what the DVC remote has, if one is set and answers
	@python -m tools.share pull --optional

.PHONY: repro
repro: restore  ## restore, run what is left to run, and print a summary
	@dvc repro || { status=$$?; echo 'repro: if that does not say why: `make doctor`' >&2; exit $$status; }
	@python -m tools.summary --check

.PHONY: demo
demo: data/model.safetensors install  ## draw a digit in the browser and see what the network makes of it
	@python -m tools.demo

# Before anything is installed.
data/model.safetensors:
	@echo 'demo: $@ is missing: run `make repro`, which trains it, or fetches it where a remote has it' >&2; exit 1

.PHONY: export
export: .venv/.installed-export  ## write data/model.onnx, the network for programs without torch
	@python -m tools.export

.PHONY: sweep
sweep: restore .venv/.installed-sweep  ## train two recipes with 5 seeds each, and compare; TRIALS="--recipe NAME --seeds N": others
	@python -m tools.sweep run $(or $(TRIALS),--recipe demo --recipe fast --seeds 5)
	@[ -e data/raw ] || dvc repro download  # For the pictures of the page.
	@python -m tools.sweep show

.PHONY: worker
worker: restore .venv/.installed-sweep  ## run trials for a sweep on another machine: SCHEDULER=tls://HOST:PORT; WORKERS=N
	@python -m tools.sweep worker $(if $(WORKERS),--workers $(WORKERS)) \
		$(or $(SCHEDULER),$(error name it: make worker SCHEDULER=tls://HOST:PORT))

.PHONY: join
join: restore  ## train together with `dvc repro` on another machine: docs/workers.md
	@[ -e data/raw ] || dvc repro download
	@python -m stages.train.join

.PHONY: unchanged
unchanged: restore  ## fail if this commit's dvc.lock and metrics are not what its pipeline gives
	dvc repro
	git diff --exit-code HEAD -- dvc.lock metrics

.PHONY: metrics
metrics: install  ## print the metrics as a table in Markdown
	@python -m tools.summary --markdown

.PHONY: lint
lint: .venv/.installed-dev  ## ruff and mypy
	ruff format --check
	ruff check
	mypy

.PHONY: test
test: lint .venv/.installed-export .venv/.installed-sweep  ## lint, then all tests
	pytest --numprocesses auto --maxprocesses 4 --dist loadgroup

.PHONY: doctor
doctor: install  ## say what is broken here, and what to do
	@python -m tools.doctor

.PHONY: verify
verify: install $(REMOTES)  ## run this commit again in an empty clone and compare all bytes; EPOCHS=3: of three epochs, drawn now
	@python -m tools.verify $(if $(EPOCHS),--epochs $(EPOCHS))

.PHONY: bench
bench: .venv/.installed-dev  ## measure side by side, with nothing else running; QUICK=1: about three minutes
	@python -m bench $(if $(QUICK),--quick)

.PHONY: format
format: .venv/.installed-dev  ## rewrite the code as lint wants it
	ruff format
	ruff check --fix

COMPILE := UV_CUSTOM_COMPILE_COMMAND='make lock' uv pip compile --quiet --universal --generate-hashes --no-annotate
PIPELINE := pyproject.toml --group sources --group records --group numerics --group pictures --group report

.PHONY: lock
lock: .venv/.installed-dev  ## pin all requirements and their hashes anew from pyproject.toml
	$(COMPILE) $(PIPELINE) --output-file requirements/pipeline.txt
	$(COMPILE) --group remotes --constraint requirements/pipeline.txt --output-file requirements/remotes.txt
	$(COMPILE) --group export --constraint requirements/pipeline.txt --output-file requirements/export.txt
	$(COMPILE) --group sweep --constraint requirements/pipeline.txt --output-file requirements/sweep.txt
	$(COMPILE) $(PIPELINE) --group dev --constraint requirements/pipeline.txt --constraint requirements/remotes.txt \
		--output-file requirements/dev.txt

.venv/.installed: requirements/pipeline.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it: make PYTHON=...")'
	@echo "installing into .venv, once: some GB to download, 6 GB on disk, some minutes"
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear .venv
	$(PIP) -r $<
	touch $@

.venv/.installed-export .venv/.installed-remotes .venv/.installed-sweep: .venv/.installed-%: requirements/%.txt .venv/.installed
	$(PIP) -r $<
	touch $@

.venv/.installed-dev: requirements/dev.txt requirements/remotes.txt .venv/.installed
	$(PIP) -r requirements/dev.txt -r requirements/remotes.txt
	touch $@ .venv/.installed-remotes
