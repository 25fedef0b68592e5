# make help shows what there is. PYTHON=python3.13 chooses another interpreter, CUSTOMERS=10000 a smaller demo,
# PROCESSES=1 one process for the tests instead of two more than there are cores.
PYTHON ?= python3
CUSTOMERS ?= 2000000
GATEWAY ?= log
PROCESSES ?= auto
FUZZ_SECONDS ?= 600
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: fuzz help demo serve web pictures test unit quick test-compiled check chaos chaos-fleet chaos-hosts chaos-smpp chaos-providers bench bench-campaign bench-duplicates bench-importing bench-sending bench-providers bench-fleet picture clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/runtime ## seed 2,000,000 customers into SQLite, greet them all, check the logs; GATEWAY=smpp to a message centre
	@PATH="$(CURDIR)/$(BIN):$$PATH" CUSTOMERS=$(CUSTOMERS) GATEWAY=$(GATEWAY) sh examples/demo.sh

serve: .venv/runtime ## run the server on DATABASE_URL until Ctrl-C
	@exec $(BIN)/python -m app serve

web: .venv/web ## serve the pages on DATABASE_URL, else on the demo's data, at http://127.0.0.1:8000 until Ctrl-C
	@DATABASE_URL="$${DATABASE_URL:-sqlite:///var/demo/customers-$(CUSTOMERS).db}" \
	    SMS_LOG_DIR="$${SMS_LOG_DIR:-var/demo/logs}" exec $(BIN)/python -m app web

test: .venv/dev ## run every test, several at once; MySQL ones need Docker, TEST_DATABASE_URL or a mysqld
	$(BIN)/python -m pytest -n $(PROCESSES)

unit: .venv/dev ## run the unit tests alone, seconds; ARGS="-k resume -x" and the like go to pytest
	$(BIN)/python -m pytest -q -n logical tests/unit $(ARGS)

quick: .venv/dev ## run what needs no server: the unit tests and the house rules, under a minute
	$(BIN)/python -m pytest -q -n logical tests/unit tests/house

test-compiled: .venv/dev ## the engine's integration tests on its compiled form, built in a copy; needs a C compiler
	rm -rf build/compiled && mkdir -p build/compiled
	git ls-files -z | xargs -0 cp --parents -t build/compiled
	cd build/compiled && ENGINE_COMPILE=1 ../../$(BIN)/python setup.py -q build_ext --inplace
	cd build/compiled && ../../$(BIN)/python -m pytest -n logical tests/integration/engine

check: .venv/dev ## ruff, mypy, import-linter and the house rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -v --no-header tests/house

chaos: .venv/dev ## 2,000,000 customers on MySQL under 50 kills, then the engine alone for ten minutes; CHAOS_SEED repeats a run
	CHAOS_CUSTOMERS=2000000 CHAOS_KILLS=50 $(BIN)/python -m pytest -s tests/acceptance/test_chaos.py
	CHAOS_SECONDS=600 $(BIN)/python -m pytest -s tests/integration/engine/test_chaos.py

fuzz: .venv/fuzz ## let a fuzzer say what it likes to the SMPP gateway for ten minutes, FUZZ_SECONDS for another time
	$(BIN)/python -m tests.fuzz $(FUZZ_SECONDS)

chaos-hosts: .venv/dev ## 50,000 customers to the logs of two hosts under 30 kills and stops beyond the lease
	CHAOS_CUSTOMERS=50000 CHAOS_KILLS=30 $(BIN)/python -m pytest -s tests/acceptance/test_chaos_hosts.py

chaos-fleet: .venv/dev ## as root: 60,000 customers by three hosts whose links are cut, who are killed, whose clocks are wrong; and failovers
	CHAOS_CUSTOMERS=60000 CHAOS_ROUNDS=2 $(BIN)/python -m pytest -s tests/acceptance/test_chaos_fleet.py tests/acceptance/test_failover.py

chaos-smpp: .venv/dev ## 100,000 customers over the demo message centre under 50 kills; CHAOS_SEED repeats a run
	CHAOS_CUSTOMERS=100000 CHAOS_KILLS=50 $(BIN)/python -m pytest -s tests/acceptance/test_chaos_smpp.py

chaos-providers: .venv/dev ## 20,000 customers over each demo provider under 30 kills and lost answers
	CHAOS_CUSTOMERS=20000 CHAOS_KILLS=30 $(BIN)/python -m pytest -s tests/acceptance/test_chaos_providers.py

bench: .venv/dev ## measure the engine beside its floors, three minutes; writes benchmarks/RESULTS.md
	$(BIN)/python benchmarks/engine.py

bench-duplicates: .venv/dev ## measure what it costs to send each number once; needs Docker, four minutes
	$(BIN)/python benchmarks/duplicates.py

bench-importing: .venv/dev ## measure an import beside a bare LOAD DATA of the same file; needs Docker, two minutes
	$(BIN)/python benchmarks/importing.py

bench-campaign: .venv/dev ## measure a campaign beside the floor that docs/figures.md names; needs Docker, four minutes
	$(BIN)/python benchmarks/campaign.py

bench-sending: .venv/dev ## measure sending over a network beside its floors; needs Docker and a C compiler, nine minutes
	$(BIN)/python benchmarks/sending.py

bench-providers: .venv/dev ## measure sending by cloud providers beside their bare SDKs; needs Docker, five minutes
	$(BIN)/python benchmarks/sending_providers.py

bench-fleet: .venv/dev ## measure Celery workers beside the engine's, and what a slice costs; needs Docker and RabbitMQ, two minutes
	$(BIN)/python benchmarks/fleet.py

bench-tabs: .venv/dev ## measure a campaign that fifty browsers look at beside one that nobody does; needs Docker, four minutes
	$(BIN)/python benchmarks/tabs.py

pictures: .venv/dev ## take docs/pages-*.png, the pages in a browser, of made-up campaigns; needs Debian's chromium
	$(BIN)/python -m benchmarks.pictures

picture: .venv/dev ## draw docs/demo.svg, a campaign in the terminal, from a run with 2,000,000 customers on SQLite
	$(BIN)/python -m benchmarks.picture

clean: ## remove the environment and what tools leave behind; var/ stays
	rm -rf .venv build *.egg-info engine/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/base:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.13" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/runtime: .venv/base pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/dev: .venv/base pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ .venv/runtime

.venv/web: .venv/runtime pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[web]'
	@touch $@

.venv/fuzz: .venv/dev pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev,fuzz]'
	@touch $@
