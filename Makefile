# `make` alone lists the targets. Every target sets up what it needs.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check format docs bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## scan the example logs of both clouds, and trace one finding back to who began
	@$(BIN)/callerid scan --policy examples/policy.yaml --fail-on never examples/logs
	@echo
	@echo 'Who was role/crosscloud-test-aws-9, unexpected above? callerid trace example000021 examples/logs'
	@$(BIN)/callerid trace example000021 examples/logs

test: $(VENV)/developing ## run the tests
	$(BIN)/coverage run -m pytest -q
	@$(BIN)/coverage report

check: $(VENV)/developing ## format, lint, types, tests: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test

format: $(VENV)/developing ## format the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/installed ## write docs/reasons.md from the reasons and their texts
	$(BIN)/python docs/reasons.py docs/reasons.md

bench: $(VENV)/benching ## measure against plain parsing, DuckDB and a loop, and the Lambda (about twelve minutes)
	$(BIN)/python bench/run.py
	PYTHONPATH=. $(BIN)/python bench/function.py

clean: ## remove what make made
	rm -rf $(VENV) bench/data .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -e .
	@touch $@

$(VENV)/developing: $(VENV)/installed requirements-dev.txt
	$(BIN)/pip install -q -e ".[aws,gcp,report]" -r requirements-dev.txt
	@touch $@

$(VENV)/benching: $(VENV)/developing bench/requirements.txt
	$(BIN)/pip install -q -r bench/requirements.txt
	@touch $@

# `sam build` asks for these: the functions' one artefact, for arm64 and python3.13 unless MACHINE and RUNTIME say
# otherwise, with Firestore's client where FIRESTORE is yes. Lambda cannot keep what it compiles, so compiled files go
# along; the runtime's own version is needed for them, as no other version's would be read.
build-Judge build-Tasks build-CheckPolicy: MACHINE ?= aarch64
build-Judge build-Tasks build-CheckPolicy: RUNTIME ?= 3.13
build-Judge build-Tasks build-CheckPolicy:
	$(PYTHON) -m pip install -q -r aws_function/requirements.txt \
		$(if $(filter yes,$(FIRESTORE)),-r aws_function/requirements-firestore.txt) \
		--target "$(ARTIFACTS_DIR)" --no-compile \
		--implementation cp --python-version $(RUNTIME) --only-binary=:all: \
		--platform manylinux_2_28_$(MACHINE) --platform manylinux2014_$(MACHINE)
	cp -R shared/callerid aws_function "$(ARTIFACTS_DIR)"
	find "$(ARTIFACTS_DIR)" -name __pycache__ -prune -exec rm -r {} +
	python$(RUNTIME) -m compileall -q --invalidation-mode unchecked-hash -s "$(ARTIFACTS_DIR)" -p /var/task "$(ARTIFACTS_DIR)" \
		|| echo "no python$(RUNTIME) here: the functions start half a second later"
