# Everything a newcomer or CI calls. Needs make and Python >= 3.11; the rest is fetched and locked by hash.
# python3, unless it was built without optimizations, as pyenv builds it: then everything takes a quarter more time,
# and the system's is taken if it is new enough.
FIT := import ensurepip, sys, sysconfig as built, venv; \
  quick = sys.base_prefix == "/usr" or "--enable-optimizations" in str(built.get_config_var("CONFIG_ARGS")); \
  sys.exit(sys.version_info < (3, 11) or not quick)
PYTHON ?= $(shell for found in python3 /usr/bin/python3; do $$found -c '$(FIT)' 2>/dev/null && echo $$found && exit; \
  done; echo python3)
PORT ?= 4566
CONFIG ?= handsoff.yaml
SEEDS ?= 1000
HOURS ?= 6
SECONDS ?= 600
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
VENV := .venv/.installed
SAM := .venv-sam/.installed
SCAN := .venv-scan/.installed
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
# Python keeps its byte-code, also pytest's of the tests: without it, hundreds of processes compile the project again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast chaos chaos-variants soak upgrade fuzz bench check docs pictures scan build wheel up down invoke doctor deploy destroy lock clean

help: ## list what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 11

setup: $(VENV) $(SAM) ## make both environments, and the one that stands for SageMaker's image
	@python -m local.images

demo: setup ## the whole loop on this machine, from landing to a decided model package
	@handsoff --config "$(CONFIG)" demo

test: setup ## all tests, the ones against AWS on this machine too
	@pytest -n 6 --dist loadfile --no-loadscope-reorder

test-fast: setup ## the tests that deploy nothing and start no program, in about a minute
	@pytest -n 2 --dist loadfile -m "not slow and not story"

upgrade: setup ## deploy an earlier version on this machine, upgrade it, and see that nothing is lost (FROM=commit)
	@HANDSOFF_FROM=$(FROM) pytest -q tests/upgrade

fuzz: setup ## send requests by chance for ten minutes; 5xx and decisions not asked for must be 0 (SECONDS=600 SEED=1)
	@python -m tests.fuzz --seconds $(SECONDS) --seed $(or $(SEED),1)

chaos: setup ## play a thousand seeds of faults and say which promise broke (SEEDS=1000; one of them: SEED=123)
	@python -m tests.chaos $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

chaos-variants: setup ## undo one mending at a time and say which seed of chaos, or which test, catches it
	@python -m tests.chaos.variants

soak: setup ## let 20 models work for hours of virtual time, and draw what the functions keep (HOURS=6)
	@python -m tests.soak --hours $(HOURS)

bench: setup ## measure speed against limits and goals; writes docs/reference/performance.md (ONLY="train functions")
	@python -m bench $(if $(ONLY),--only $(ONLY))

check: setup ## style, types, layers, generated pages, template
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports --no-logo
	@python docs/make/reference.py --check
	@cfn-lint template.yaml
	@.venv-sam/bin/sam validate --lint --region us-east-1 >/dev/null
	@if command -v terraform >/dev/null; then terraform fmt -check -recursive -diff terraform; \
	  else echo "terraform is not installed: its files' style is not checked"; fi
	@echo "make check: everything passed"

docs: setup ## write the pages of docs/reference that say what the code says
	@python docs/make/reference.py

pictures: setup ## make docs/images and the examples' pictures anew (needs chromium)
	@python docs/make/review_page.py
	@python docs/make/report.py
	@python docs/make/example_pages.py

scan: setup $(SCAN) ## weaknesses: template, Terraform, workflows, code, locked packages (its own environment)
	@python checks/scan.py

build: setup ## build functions and layer as AWS gets them (HANDSOFF_RUNTIME, HANDSOFF_ARCHITECTURE)
	@.venv-sam/bin/sam build

wheel: setup ## build the wheel that a release attaches into dist/; pip install makes `handsoff` of it
	@rm -rf .handsoff/wheel && mkdir -p .handsoff/wheel # of what git tracks: others may hold secrets
	@git ls-files -z | tar --null -T - -cf - | tar -xf - -C .handsoff/wheel
	@uv build --quiet --wheel --no-build-isolation --python .venv/bin/python --out-dir dist .handsoff/wheel
	@rm -rf .handsoff/wheel
	@ls dist/*.whl

up: setup ## start AWS on this machine, deployed and ready, in the background (CONFIG=handsoff.yaml PORT=4566 UP=…)
	@handsoff --config "$(CONFIG)" local up --detach --port $(PORT) $(UP)

down: setup ## stop it (CONFIG=handsoff.yaml)
	@handsoff --config "$(CONFIG)" local down

invoke: setup ## run a deployed function in a container (FUNCTION=Reconcile EVENT=events/each_minute.json)
	@handsoff --config "$(CONFIG)" local invoke "$(FUNCTION)" $(EVENT)

doctor: setup ## say whether all is fit for a deployment to the AWS that the environment names (CONFIG=handsoff.yaml)
	@handsoff --config "$(CONFIG)" doctor

deploy: setup ## deploy there; on AWS asks before Terraform changes something (CONFIG=handsoff.yaml ARGS=--plan)
	@handsoff --config "$(CONFIG)" deploy $(ARGS)

destroy: setup ## take it down; says what goes and what remains, and asks (CONFIG=handsoff.yaml ARGS=--purge)
	@handsoff --config "$(CONFIG)" destroy $(ARGS)

lock: $(VENV) ## lock the newest permitted packages
	@for name in requirements/dev requirements/sam requirements/scan layers/dependencies/requirements; do \
	  uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" $$( [ $$name = layers/dependencies/requirements ] && echo "-c requirements/dev.txt" ) \
	    $$( [ $$name = requirements/dev ] && echo pyproject.toml ) $$name.in -o $$name.txt; done
	@uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" -c requirements/dev.txt --override requirements/serving.overrides.in \
	  requirements/serving.in -o requirements/serving.txt
	@for name in scikit-learn-1.9-0 xgboost-3.0-5 pytorch-2.6.0; do \
	  uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" $$(case $$name in \
	      scikit-learn-*) echo "--python-version 3.11 -c requirements/dev.txt" ;; \
	      pytorch-*) echo "--python-version 3.11" ;; \
	      xgboost-*) echo "--python-version 3.10 --override local/images/$$name.overrides.in" ;; esac) \
	    local/images/$$name.in -o local/images/$$name.txt; done

clean: ## remove what was made here, all environments of this folder included
	@rm -rf .venv .venv-sam .venv-scan .venv-serving .handsoff .aws-sam dist

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "handsoff needs Python >= 3.11; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[0-9.]+' requirements/dev.txt)"

$(VENV): .venv/bin/uv requirements/dev.txt pyproject.toml
	@echo "installing the project's packages into .venv (half a minute the first time)"
	@uv pip sync --quiet --python .venv --require-hashes requirements/dev.txt
# A quarter of the code is the packages' own tests, which nothing imports. uv's --compile-bytecode compiles them too.
	@.venv/bin/python -m compileall -q -j 0 -x 'site-packages/.*/tests?/' .venv/lib || true
	@uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	@touch $@

$(SAM): .venv/bin/uv requirements/sam.txt
	@echo "installing the SAM CLI into .venv-sam"
	@uv venv --quiet --clear --python .venv/bin/python .venv-sam
	@uv pip sync --quiet --compile-bytecode --python .venv-sam --require-hashes requirements/sam.txt
	@touch $@

$(SCAN): .venv/bin/uv requirements/scan.txt
	@echo "installing the scanners into .venv-scan"
	@uv venv --quiet --clear --python .venv/bin/python .venv-scan
	@uv pip sync --quiet --compile-bytecode --python .venv-scan --require-hashes requirements/scan.txt
	@touch $@
