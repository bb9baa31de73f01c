# Every target runs commands that can also be typed by hand. `make help` lists the targets.
DATA ?= data/sample
PYTHON ?= python3
export APPORTION_DATA = $(abspath $(DATA))
export DAGSTER_HOME = $(CURDIR)/.dagster
export DO_NOT_TRACK = 1
BIN = .venv/bin
# One test process per processor. The tests of a file run in one process and in order; conftest.py
# sets the order of the files. More than four processes would wait for the longest file.
SPREAD = --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
COMPILE = $(BIN)/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header

.PHONY: help run close export focus-example what-if forget app bench test lint mypy sqlfluff dev clean lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: .venv/run.stamp ## run the pipeline on data/sample, or on DATA=/my/folder
	@$(BIN)/python -m dagster_project run

close: .venv/run.stamp ## close a billing period: make close PERIOD=2026-01 [REASON="..."]
	@test -n "$(PERIOD)" || { echo 'PERIOD is missing. Example: make close PERIOD=2026-01'; exit 2; }
	@$(BIN)/python -m dagster_project close "$(PERIOD)" $(if $(REASON),--reason "$(REASON)")

export: .venv/run.stamp ## write statements, workbook, journal, FOCUS: [PERIOD=2026-01 | FROM= TO=] [ORGANIZATION=]
	@$(BIN)/python -m dagster_project export $(if $(PERIOD),--period "$(PERIOD)") $(if $(FROM),--from "$(FROM)") \
		$(if $(TO),--to "$(TO)") $(if $(ORGANIZATION),--organization "$(ORGANIZATION)") \
		$(if $(JOURNAL_COLUMNS),--journal-columns "$(JOURNAL_COLUMNS)")

# Uses a copy, so that closed periods and other changes in the sample do not affect the example.
focus-example: .venv/run.stamp ## write data/focus-example again from the sample
	@rm -rf .focus-example && mkdir .focus-example && cp -R data/sample/landing .focus-example/landing
	@$(BIN)/python -m dagster_project run --data .focus-example
	@$(BIN)/python -m dagster_project export --data .focus-example --from 2026-01 --to 2026-04 \
		--focus-only data/focus-example
	@rm -rf .focus-example

what-if: .venv/run.stamp ## show the amounts that a file would change: SCENARIO=file.csv [ORGANIZATION=] [CSV=out.csv]
	@test -n "$(SCENARIO)" || { echo 'SCENARIO is missing. Example: make what-if SCENARIO=file.csv'; exit 2; }
	@$(BIN)/python -m dagster_project what-if "$(SCENARIO)" \
		$(if $(ORGANIZATION),--organization "$(ORGANIZATION)") $(if $(CSV),--csv "$(CSV)")

# Every environment has a USER, so only one on the command line counts.
forget: .venv/run.stamp ## erase one person from the raw tables: make forget USER=anna@example.com
	@test "$(origin USER)" = "command line" || { echo 'USER is missing. Example: make forget USER=anna@example.com'; exit 2; }
	@$(BIN)/python -m dagster_project forget "$(USER)"

# A room's tests are for while one works on it: the linters look at everything.
test: .venv/dev.stamp $(if $(ROOM),,lint) ## run every check and test, or one room's tests: [ROOM=splits]
	$(BIN)/python -m pytest $(SPREAD) $(if $(ROOM),--room "$(ROOM)")

lint: .venv/dev.stamp ## run the linters and the type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory --jobs 2 mypy sqlfluff

mypy: .venv/dev.stamp
	$(BIN)/mypy

sqlfluff: .venv/dev.stamp
	$(BIN)/sqlfluff lint --processes 2 dbt/models dbt/tests

app: .venv/app.stamp ## open the web app: [EDIT=1 to change splits] [CUSTOMER=id for one customer's view without cost]
	@APPORTION_EDIT="$(EDIT)" APPORTION_CUSTOMER="$(CUSTOMER)" exec $(BIN)/streamlit run app/main.py

bench: .venv/run.stamp ## compare the forecast with other methods (APPORTION_M3_FILE names the series)
	@$(BIN)/python benchmarks/forecast_m3.py

dev: .venv/run.stamp ## Dagster's web UI on this project, at http://127.0.0.1:3000
	@exec $(BIN)/python -m dagster_project dev

lock: .venv/uv.stamp ## pin the packages in pyproject.toml again, with hashes
	$(COMPILE) --extra dev --extra app --output-file requirements/dev.txt
	$(COMPILE) --extra app --constraints requirements/dev.txt --output-file requirements/app.txt
	$(COMPILE) --constraints requirements/dev.txt --output-file requirements/run.txt

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
	@$(BIN)/uv pip install --quiet --require-hashes --compile-bytecode -r requirements/run.txt
	@touch $@

.venv/app.stamp: .venv/run.stamp requirements/app.txt
	@$(BIN)/uv pip install --quiet --require-hashes --compile-bytecode -r requirements/app.txt
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements/dev.txt
	@$(BIN)/uv pip install --quiet --require-hashes --compile-bytecode -r requirements/dev.txt
	@touch $@
