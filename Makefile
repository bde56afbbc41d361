# Two commands do all: `make demo` shows what this is for, `make test` passes the checks. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test live lint bench docs dist clean

demo: $(VENV)/.cli
	@echo "== libvirt hands over an incoming guest (qemu/migrate), and takes the hook's document from standard output:"
	@$(BIN)/hooking run templates/pincpu/pincpu.py qemu/migrate
	@echo
	@echo "== VDSM is about to start a VM with the custom property pincpu=0-1, and takes the hook's document from its file:"
	@$(BIN)/hooking run templates/pincpu/pincpu.py before_vm_start --property pincpu=0-1

test: lint
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

# Against a real libvirt, as root: needs libvirtd, QEMU, dnsmasq (see .ci/run).
live: $(VENV)/.dev
	HOOKING_LIVE=1 $(BIN)/pytest tests/live

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

# Writes the figures and plots of docs/explanation/performance.md, too.
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/page.py

# The site in build/docs; a warning, such as a link that leads nowhere, is an error.
docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py
	$(BIN)/sphinx-build --quiet --fail-on-warning --nitpicky docs build/docs

# The sdist and the wheel, in dist/.
dist: $(VENV)/.dev
	$(BIN)/nox --session dist

clean:
	rm -rf $(VENV) .nox .coverage* build dist

$(VENV)/.cli $(VENV)/.dev: $(VENV)/.%: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
