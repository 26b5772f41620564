# Everything is made inside $(VENV); nothing outside the checkout changes. `make help` lists the commands.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PYTEST_ARGS ?= -n auto --maxprocesses=8 --dist loadfile --no-loadscope-reorder

STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
BIN := $(VENV)/bin

# Taken as typed: a "$" or a space in a path or password is no concern of make or the shell.
export PERCEPTION_SOURCE := $(value SOURCE)
export GOLDEN_REASON := $(value REASON)

.PHONY: help demo test golden lint format docs install constraints clean
.DEFAULT_GOAL := help

help:
	@echo "make demo                            find, follow and forecast the road users of the bundled six-camera drive"
	@echo "make demo SOURCE=path/to/video.mp4   the same for a video, folder, recording, webcam or address of yours"
	@echo "                                     ARGS='--show --conf 0.4' hands options on"
	@echo "make test                            formatting, types and all tests; PYTEST_ARGS='-n 0 -x' hands options on"
	@echo "make golden REASON='why'             keep what the bundled weights find now as what the tests expect"
	@echo "make lint                            formatting and types only"
	@echo "make format                          put the code into the agreed form"
	@echo "make docs                            build the documentation in site/; open site/index.html"
	@echo "make install                         only make the environment $(VENV); PYTHON=python3.11 chooses the Python"
	@echo "make constraints                     choose the newest versions of all required packages"
	@echo "make clean                           remove the environment and all caches, keep runs/"

# Without SOURCE the demo takes the recording that comes with the project.
demo: $(STAMP)
	@exec $(BIN)/perception demo $(if $(value SOURCE),--source "$$PERCEPTION_SOURCE") $(ARGS)

# One thread per worker: workers that each start a thread per core slow one another down. Tests start many processes,
# which compile the package once and not each for itself, also where the environment asks not to write bytecode.
test: lint $(DEV_STAMP)
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

# One thread, as in the tests.
golden: $(DEV_STAMP)
	@OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m golden.accept "$$GOLDEN_REASON"

lint: $(DEV_STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Without a variable of this kind the theme prints an advertisement for its successor.
docs: $(DEV_STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo site/index.html

install: $(DEV_STAMP)

$(BIN)/uv:
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) is not on this machine: install Python 3.10 or newer, or name one with PYTHON=path/to/python3." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$(PYTHON) is older than Python 3.10: name a newer one with PYTHON=python3.11." >&2; exit 1; }
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	  $(PYTHON) -m venv "$(VENV)"; \
	else \
	  $(PYTHON) -m venv --without-pip "$(VENV)" && $(PYTHON) -m pip --python "$(BIN)/python" install --quiet pip; \
	fi || { echo "$(PYTHON) cannot make a virtual environment: install its venv and ensurepip modules (Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet -c constraints.txt uv

# What runs the demo, and on top of it what developing and simulating need.
$(STAMP): EXTRAS :=
$(DEV_STAMP): EXTRAS := [dev]
$(DEV_STAMP): | $(STAMP)

# opencv-python and its headless twin are the same module in the same folder: exactly one may be there. The first needs
# libraries of a desktop (libGL.so.1); where they are missing its twin of the same version takes its place.
# Compiled once here: where Python may not write bytecode, each start of a command would compile torch again, for 8 s.
$(STAMP) $(DEV_STAMP): pyproject.toml constraints.txt | $(BIN)/uv
	@$(BIN)/uv pip uninstall --quiet --python "$(BIN)/python" opencv-python-headless
	$(BIN)/uv pip install --compile-bytecode --python "$(BIN)/python" -c constraints.txt -e '.$(EXTRAS)'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
	  version=$$($(BIN)/python -c 'from importlib.metadata import version; print(version("opencv-python"))') && \
	  echo "OpenCV's windows need libraries that this machine lacks: opencv-python-headless $$version takes its place." && \
	  $(BIN)/uv pip uninstall --quiet --python "$(BIN)/python" opencv-python && $(BIN)/uv pip install --python "$(BIN)/python" --quiet "opencv-python-headless==$$version" && \
	  $(BIN)/python -c 'import cv2'; }
	@touch $@

constraints: $(BIN)/uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.10 --all-extras \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header pyproject.toml -o constraints.txt

clean:
	rm -rf "$(VENV)" build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
