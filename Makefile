# Every target runs commands that can also be typed by hand. `make help` lists the targets.
DATA ?= data/sample
PYTHON ?= python3
export APPORTION_DATA = $(abspath $(DATA))
export DAGSTER_HOME = $(CURDIR)/.dagster
export DO_NOT_TRACK = 1
BIN = .venv/bin
APPORTION = $(BIN)/apportion
# The tests of a file run in one process and in order; tests/conftest.py sets the number of processes
# and the order of the files. More than four processes would wait for the longest file.
SPREAD = --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header

.PHONY: help run close notify export focus-example powerbi check what-if forget app api bench bench-forecast test spark test-spark fuzz lint bandit audit mypy sqlfluff structure dev clean lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: .venv/project.stamp ## run the pipeline on data/sample, or on DATA=/my/folder
	@$(APPORTION) run

close: .venv/project.stamp ## close a billing period: make close PERIOD=2026-01 [REASON="..."]
	@test -n "$(PERIOD)" || { echo 'PERIOD is missing. Example: make close PERIOD=2026-01'; exit 2; }
	@$(APPORTION) close "$(PERIOD)" $(if $(REASON),--reason "$(REASON)")

notify: .venv/project.stamp ## mail the statements of a closed period: PERIOD=2026-01 [DRY=1 to write .eml files]
	@$(APPORTION) notify $(PERIOD) $(if $(DRY),--dry-run)

export: .venv/project.stamp ## write statements, workbook, journal, FOCUS: [PERIOD=2026-01 | FROM= TO=] [ORGANIZATION=]
	@$(APPORTION) export $(if $(PERIOD),--period "$(PERIOD)") $(if $(FROM),--from "$(FROM)") \
		$(if $(TO),--to "$(TO)") $(if $(ORGANIZATION),--organization "$(ORGANIZATION)") \
		$(if $(JOURNAL_COLUMNS),--journal-columns "$(JOURNAL_COLUMNS)")

# Uses a copy, so that closed periods and other changes in the sample do not affect the example.
focus-example: .venv/project.stamp ## write data/focus-example again from the sample
	@rm -rf .focus-example && mkdir .focus-example && cp -R data/sample/landing .focus-example/landing
	@$(APPORTION) run --data .focus-example
	@$(APPORTION) export --data .focus-example --from 2026-01 --to 2026-04 \
		--focus-only data/focus-example
	@rm -rf .focus-example

powerbi: .venv/project.stamp ## write the Power BI project in deploy/powerbi again from the marts and metrics
	@$(BIN)/python deploy/powerbi/write_project.py

check: .venv/project.stamp ## show what a run would read from a file: FILE=bill.csv [PLACE=billing_lines/bill.csv]
	@test -n "$(FILE)" || { echo 'FILE is missing. Example: make check FILE=bill.csv'; exit 2; }
	@$(APPORTION) inspect "$(FILE)" $(if $(PLACE),--as "$(PLACE)")

what-if: .venv/project.stamp ## show the amounts that a file would change: SCENARIO=file.csv [ORGANIZATION=] [CSV=out.csv]
	@test -n "$(SCENARIO)" || { echo 'SCENARIO is missing. Example: make what-if SCENARIO=file.csv'; exit 2; }
	@$(APPORTION) what-if "$(SCENARIO)" \
		$(if $(ORGANIZATION),--organization "$(ORGANIZATION)") $(if $(CSV),--csv "$(CSV)")

# Every environment has a USER, so only one on the command line counts.
forget: .venv/project.stamp ## erase one person from the raw tables: make forget USER=anna@example.com
	@test "$(origin USER)" = "command line" || { echo 'USER is missing. Example: make forget USER=anna@example.com'; exit 2; }
	@$(APPORTION) forget "$(USER)"

# A room's tests are for while one works on it: the linters look at everything.
test: .venv/dev.stamp $(if $(ROOM),,lint) ## run every check and test, or one room's tests: [ROOM=splits]
	$(BIN)/python -m pytest $(SPREAD) $(if $(ROOM),--room "$(ROOM)")

# In an environment of its own, since pyspark needs an older pandas.
spark: .venv-spark/packages.stamp ## install what APPORTION_ENGINE=spark needs besides Java 17

# It is no part of `make test`.
test-spark: .venv/project.stamp spark ## build the sample on DuckDB and on Apache Spark, compare every table
	@command -v java > /dev/null || { echo 'Java 17 is missing. On Debian: apt-get install openjdk-17-jre-headless'; exit 2; }
	@rm -rf .spark && mkdir -p .spark/on_duckdb .spark/on_spark
	@cp -R data/sample/landing .spark/on_duckdb && cp -R data/sample/landing .spark/on_spark
	@$(APPORTION) run --data .spark/on_duckdb
	@PYTHONPATH=. .venv-spark/bin/python tests/spark/conformance.py .spark/on_duckdb/warehouse.duckdb .spark/work
	@APPORTION_ENGINE=spark $(APPORTION) run --data .spark/on_spark
	@PYTHONPATH=. $(BIN)/python tests/spark/same_company.py .spark/on_duckdb .spark/on_spark
	@rm -rf .spark

fuzz: .venv/dev.stamp ## damaged files, random histories and deliveries: [SEED=7] [COUNT=20000] [HISTORIES=20] [ORDERS=1000]
	APPORTION_TEST_SEED="$(or $(SEED),$(shell date +%s))" APPORTION_TEST_COUNT="$(or $(COUNT),20000)" \
		$(BIN)/python -m pytest $(SPREAD) --dist worksteal -rP tests/landing/test_mutations.py
	APPORTION_TEST_SEED="$(SEED)" APPORTION_FUZZ_HISTORIES="$(or $(HISTORIES),20)" \
		$(BIN)/python -m pytest -s tests/ledger/test_random_histories.py
	APPORTION_FUZZ_ORDERS="$(or $(ORDERS),1000)" $(if $(SEED),APPORTION_SEED="$(SEED)") \
		$(BIN)/python -m pytest -s tests/deliveries/test_random_deliveries.py

lint: .venv/dev.stamp ## run the linters and the type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory --jobs 2 mypy sqlfluff structure bandit

bandit: .venv/dev.stamp
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive dagster_project app benchmarks

# Asks the package index about every pinned package. No check of `make test` depends on a network.
audit: ## list known vulnerabilities of the pinned packages: PACKAGE_INDEX_JSON=address of the index
	@$(PYTHON) .ci/audit

mypy: .venv/dev.stamp
	$(BIN)/mypy

sqlfluff: .venv/dev.stamp
	$(BIN)/sqlfluff lint --processes 2 dbt/models dbt/tests

# The structure of the dbt project as dbt parses it. The tests and the next run use what is parsed.
structure: .venv/dev.stamp
	$(BIN)/python -c 'from dagster_project import dbt_runner; dbt_runner.prepared_manifest()'
	$(BIN)/dbt-bouncer --config-file dbt-bouncer.yml

app: .venv/app.stamp ## open the web app: [EDIT=1 to edit splits, cost centers and findings] [CUSTOMER=id for one customer's view without cost]
	@APPORTION_EDIT="$(EDIT)" APPORTION_CUSTOMER="$(CUSTOMER)" exec $(BIN)/streamlit run app/server.py

api: .venv/api.stamp ## serve the published tables over HTTP at http://127.0.0.1:8450 (docs/api.md): [HOST= PORT=]
	@exec $(APPORTION) api $(if $(HOST),--host "$(HOST)") $(if $(PORT),--port "$(PORT)")

bench: .venv/bench.stamp ## time a run beside other tools on the same files: [SIZE=S|M|L] [GROWTH=3,12,36,60]
	@$(BIN)/python benchmarks/chargeback.py --size "$(or $(SIZE),S)" $(if $(GROWTH),--growth "$(GROWTH)")

bench-forecast: .venv/project.stamp ## compare the forecast with other methods (APPORTION_M3_FILE names the series)
	@$(BIN)/python benchmarks/forecast_m3.py

dev: .venv/project.stamp ## Dagster's web UI on this project, at http://127.0.0.1:3000
	@exec $(APPORTION) dev

lock: .venv/uv.stamp ## pin the packages in pyproject.toml again, with hashes
	$(COMPILE) --group setup --output-file requirements/setup.txt
	$(COMPILE) pyproject.toml --extra dev --extra app --extra api --extra alerts --extra objects --extra timestamps --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --extra app --constraints requirements/dev.txt --output-file requirements/app.txt
	$(COMPILE) pyproject.toml --extra bench --constraints requirements/dev.txt --output-file requirements/bench.txt
	$(COMPILE) pyproject.toml --extra api --constraints requirements/dev.txt --output-file requirements/api.txt
	$(COMPILE) pyproject.toml --extra app --extra api --extra alerts --extra objects --extra timestamps --extra service \
		--constraints requirements/dev.txt --output-file requirements/service.txt
	$(COMPILE) pyproject.toml --constraints requirements/dev.txt --output-file requirements/run.txt
	$(COMPILE) --no-config requirements/spark.in --output-file requirements/spark.txt

clean: ## remove built files from DATA (never landing or ledger)
	rm -rf $(DATA)/warehouse.duckdb* $(DATA)/published $(DATA)/exports $(DATA)/.run dbt/target

# --- set-up: once, and again when the pinned packages change -------------------------
.venv/uv.stamp: requirements/setup.txt
	@echo "Setting up .venv (once; about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Apportion needs Python 3.11 or newer")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/setup.txt
	@touch $@

.venv/run.stamp: .venv/uv.stamp requirements/run.txt
	@$(INSTALL) --require-hashes --compile-bytecode -r requirements/run.txt
	@touch $@

# The project itself, with the command `apportion`. It contains the path of the checkout: one that
# was moved or copied with its .venv installs it again.
ifneq ($(shell cat .venv/project.stamp 2>/dev/null),$(CURDIR))
.PHONY: .venv/project.stamp
endif
.venv/project.stamp: .venv/run.stamp pyproject.toml
	@$(INSTALL) --offline --no-deps --no-build-isolation --reinstall --editable .
	@echo "$(CURDIR)" > $@

.venv/app.stamp: .venv/project.stamp requirements/app.txt
	@$(INSTALL) --require-hashes --compile-bytecode -r requirements/app.txt
	@touch $@

.venv/bench.stamp: .venv/project.stamp requirements/bench.txt
	@$(INSTALL) --require-hashes --compile-bytecode -r requirements/bench.txt
	@touch $@

.venv/api.stamp: .venv/project.stamp requirements/api.txt
	@$(INSTALL) --require-hashes --compile-bytecode -r requirements/api.txt
	@touch $@

.venv/dev.stamp: .venv/project.stamp requirements/dev.txt
	@$(INSTALL) --require-hashes --compile-bytecode -r requirements/dev.txt
	@touch $@

.venv-spark/packages.stamp: .venv/uv.stamp requirements/spark.txt
	@$(PYTHON) -m venv .venv-spark
	@$(BIN)/uv pip install --quiet --python .venv-spark/bin/python --require-hashes -r requirements/spark.txt
	@touch $@
