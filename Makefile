# Everything runs in .venv, which is made on first use: by uv where it is installed, else by pip.
PYTHON ?= python3
BIN := .venv/bin
OLD := .venv-transformers4
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.PHONY: report test test-slow test-transformers4 test-python lint format docs dist-check nightly bench gpu reports robustness \
	harness brackets clean

report: .venv/ready  ## compare the estimators on the paper's DNA problem and write a report
	$(BIN)/infodis-stats study reports/dna_markov.toml --out out/dna_markov

# One process per core, each with one thread.
test test-slow test-transformers4 test-python docs robustness bench harness brackets: export OMP_NUM_THREADS = 1

# Many tests start processes, which import everything: without compiled modules that takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

test: .venv/ready  ## run the tests but the slow calibration studies
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile

test-slow: .venv/ready  ## run the slow calibration studies
	$(BIN)/python -m pytest -m slow --numprocesses auto

# The tests of Hugging Face models; nothing else depends on transformers. The harness is left out: with that version it
# needs older packages than the pinned ones (its tests pass with datasets 5.0.1).
LOADER := infodis_stats/models/huggingface tests/models/huggingface tests/models/test_scan_pretrained.py \
	tests/diagnostics/test_check_model.py tests/diagnostics/test_check_conventions.py \
	tests/commands/test_check_command.py tests/commands/test_network_options.py

test-transformers4: $(OLD)/ready  ## test the loading of models on transformers 4.57
	$(OLD)/bin/python -m pytest -m "not slow" --numprocesses auto --dist loadfile $(LOADER)

OTHER := .venv-$(notdir $(PYTHON))

test-python: $(OTHER)/ready  ## run the same tests on another Python: make test-python PYTHON=python3.13
	$(OTHER)/bin/python -m pytest -m "not slow" --numprocesses auto --dist loadfile

lint: .venv/ready  ## ruff, strict mypy, the import contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .venv/ready  ## build the documentation site in out/docs; warnings are errors
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --doctree-dir out/doctrees docs out/docs
	$(BIN)/python docs/check_site.py out/docs
dist-check: .venv/ready  ## build wheel and source distribution, and check them in fresh environments (four minutes)
	$(BIN)/python -m tests.packaging --python $(PYTHON)

PYTHONS = $(foreach python,python3.12 python3.13,$(if $(shell $(python) --version 2>/dev/null),$(python)))

nightly:  ## what takes longer than CI allows: other versions of Python, measurements, all studies (many hours)
	for python in $(PYTHONS); do $(MAKE) test-python PYTHON=$$python || exit 1; done
	for target in robustness brackets bench harness reports; do $(MAKE) $$target || exit 1; done

bench: .venv/ready  ## measure speed and memory, and write reports/speed.md; nothing is asserted
	$(BIN)/python -m tests.benchmarks

gpu:  ## check and measure on an accelerator, with any Python that has torch, numpy and transformers
	PYTHONPATH=. $(PYTHON) tests/gpu/run.py > reports/gpu.md.part && mv reports/gpu.md.part reports/gpu.md || { rm -f reports/gpu.md.part; exit 1; }
	cat reports/gpu.md

robustness: .venv/ready  ## kill, starve and tamper with studies, and write what was lost
	$(BIN)/python -m tests.support.robustness

harness: .venv/ready  ## accuracies over seeds in lm-evaluation-harness, and what races cost (an hour)
	$(BIN)/python -m tests.benchmarks.harness

brackets: .venv/ready  ## how wide brackets are, with proposed and with plain orders (15 minutes)
	$(BIN)/python -m tests.benchmarks.bracket_width

STUDIES := $(basename $(notdir $(wildcard reports/*.toml)))

reports: .venv/ready  ## run the studies whose committed reports are not up to date (hours if all of them)
	for study in $(STUDIES); do \
		$(BIN)/infodis-stats study reports/$$study.toml --out reports/$$study || exit 1; \
	done
	$(BIN)/infodis-stats scan reports/dna_markov.toml reports/scan_dna.fasta --out reports/scan_dna \
		--estimator uniform-count+stratified --passes 32 --replicates 16
	$(BIN)/infodis-stats index reports

# $(call install,FOLDER,CONSTRAINTS,EXTRAS): install this project into the environment in FOLDER, which is made first.
# rxnmapper contains a real pretrained network for the tests, 3 MB; its requirements pin old packages and are not needed.
define install
@echo "setting up $(1) (one to three minutes)"
@if command -v uv >/dev/null; then \
	uv venv --quiet --allow-existing --python $(PYTHON) $(1) && \
	uv pip install --quiet --python $(1)/bin/python --constraint $(2) --editable ".[$(3)]" && \
	uv pip install --quiet --python $(1)/bin/python --no-deps rxnmapper==0.4.3; \
else \
	$(PYTHON) -m venv $(1) && \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(2) --editable ".[$(3)]" && \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps rxnmapper==0.4.3; \
fi
@touch $(1)/ready
endef

EXTRAS := test,lint,docs

.venv/ready: pyproject.toml constraints.txt
	$(call install,.venv,constraints.txt,$(EXTRAS))

$(OTHER)/ready: pyproject.toml constraints.txt
	$(call install,$(OTHER),constraints.txt,test)

$(OLD)/ready: pyproject.toml $(OLD).txt
	$(call install,$(OLD),$(OLD).txt,test-models)

# constraints.txt, except for the packages that constraints-transformers4.txt pins to other versions.
$(OLD).txt: constraints.txt constraints-transformers4.txt
	@sed -n 's/==.*/==/; s/^[a-z]/^&/p' constraints-transformers4.txt | grep -vf - constraints.txt > $@
	@cat constraints-transformers4.txt >> $@

clean:
	rm -rf .venv .venv-* out .pytest_cache .mypy_cache .ruff_cache
