# Every target works on a fresh clone with Python >= 3.11 and nothing else installed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PHOTOS ?=
LOW    := .venv-lowest
BASE   := .venv-base
# What needs no training library: where the libraries with floors are called.
BASE_TESTS := tests/geometry tests/search tests/io/test_images.py tests/io/test_golden.py tests/io/test_heif.py \
	tests/io/test_written_files.py tests/stores/test_store_contract.py tests/gallery/test_opening.py \
	tests/hostile/test_pictures.py tests/detectors/test_yunet.py tests/embedders
# Two files of tests at a time: those of one file share what they made.
PYTEST := -m pytest -q -n auto --dist loadfile --no-loadscope-reorder
TEST_TOOLS := httpx hypothesis pycocotools pytest pytest-timeout pytest-xdist scikit-learn trustme

.PHONY: demo test test-base test-all check lint types pages package lowest advisories bench docs site clean

demo: $(VENV)/.base          ## enrol people from the sample photos and identify them; PHOTOS=folder adds yours
	$(BIN)/python examples/demo.py $(if $(PHOTOS),--photos "$(PHOTOS)")

test: $(VENV)/.dev           ## the tests, but for whole trainings and the like, which take as long again
	$(BIN)/python $(PYTEST) --max-worker-restart 0 -m "not slow"
	@echo "left out: tests marked slow (whole trainings, signals, many processes, long files); make test-all runs them too"

test-base: $(BASE)/.made     ## tests of the base without torch; the files that need it are counted
	$(BASE)/bin/python $(PYTEST) -p no:cacheprovider -m "not slow" $(BASE_TESTS) \
		tests/scoring tests/gallery tests/quality tests/plots tests/test_analyzer.py tests/test_plugins.py tests/training

test-all: $(VENV)/.dev       ## all tests
	$(BIN)/python $(PYTEST) --max-worker-restart 0

check: $(VENV)/.dev          ## what CI runs: lint, types, import contract, docs, package, lowest versions, all tests
	$(MAKE) --jobs 2 --output-sync=target lint types pages package lowest advisories
	$(MAKE) test-all

lint: $(VENV)/.dev           ## style, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/.dev
	$(BIN)/mypy

pages: $(VENV)/.dev          ## the generated pages are up to date, and no link is broken
	$(BIN)/python docs/build.py --check
	$(MAKE) site

package: $(VENV)/.dev        ## build wheel and sdist, install the wheel without extras, try every command's help
	$(BIN)/python .ci/package.py

lowest: $(LOW)/.made         ## the base tests with the lowest versions that pyproject.toml allows
	$(LOW)/bin/python $(PYTEST) -p no:cacheprovider -m "not slow" $(BASE_TESTS)

advisories: $(VENV)/.dev     ## known holes in what is installed; says so where nobody can be asked
	$(BIN)/python .ci/advisories.py

bench: $(VENV)/.dev          ## speed and accuracy; DATA=folder of real photos
	$(BIN)/python -m benchmarks.pipeline --data "$(DATA)"

docs: $(VENV)/.dev           ## rewrite the generated pages
	$(BIN)/python docs/build.py

site: $(VENV)/.dev           ## the documentation as pages with a search, in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "look at it: python3 -m http.server --directory site"

$(VENV)/.base: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lineament needs Python >= 3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q -e .
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[dev]'
	touch $@

$(LOW)/.made: pyproject.toml $(VENV)/.dev
	$(BIN)/uv venv -q --clear --seed --python $(BIN)/python $(LOW)
	$(BIN)/uv pip install -q --python $(LOW)/bin/python --resolution lowest-direct \
		-e '.[collect,heif,onnxruntime,plots,serve]'
	$(BIN)/uv pip install -q --python $(LOW)/bin/python $(TEST_TOOLS)
	touch $@

$(BASE)/.made: pyproject.toml $(VENV)/.dev
	$(BIN)/uv venv -q --clear --seed --python $(BIN)/python $(BASE)
	$(BIN)/uv pip install -q --python $(BASE)/bin/python -e '.[collect,heif,onnxruntime,plots,serve,video]' \
		$(TEST_TOOLS)
	touch $@

clean:
	rm -rf $(VENV) $(LOW) $(BASE) .venv-package demo-output site
