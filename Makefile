# make run: the app. make test: format, lint, types, tests. make quick: the same without the tests that need
# a browser, a started app or a network that draws (tests/kinds.py). All install what they need into .venv.
# make cluster: what other machines need to draw for this one, and it for others (docs/scale.md).
BIN = .venv/bin
export HF_HUB_DISABLE_TELEMETRY = 1
# Tests start Python many times; where its environment forbids it to keep what it compiled, each start compiles
# the product anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: install cluster run test quick bench space fix clean
install: .venv/installed

.venv/installed: requirements.txt requirements-dev.txt requirements-storage.txt constraints.txt
	python=$$(bin/find-python) && "$$python" -m venv .venv
	$(BIN)/python -m pip install -r requirements.txt -r requirements-dev.txt -c constraints.txt
	# The two OpenCV wheels that mediapipe and controlnet-aux bring write the same folder, and one needs
	# libGL; the headless contrib build over both needs neither screen nor Debian packages.
	$(BIN)/python -m pip install --force-reinstall --no-deps opencv-contrib-python-headless==4.11.0.86
	# Printing: where CUPS' headers are, which pycups is built with.
	! command -v cups-config || $(BIN)/python -m pip install pycups==2.0.4
	command -v chromium || $(BIN)/playwright install chromium || echo "No browser here: its tests will be skipped."
	# An S3-compatible store for tests, on its own: what it needs does not go with what the product needs.
	$(BIN)/python -m venv .venv/moto && .venv/moto/bin/pip install 'moto[s3]==5.2.5' flask flask-cors || \
		echo "No moto here: tests of the store of pictures will be skipped."
	touch .venv/installed

cluster: .venv/cluster

.venv/cluster: .venv/installed requirements-cluster.txt
	$(BIN)/python -m pip install -r requirements-cluster.txt -c constraints.txt
	touch .venv/cluster

run: .venv/installed
	$(BIN)/python app.py

CHECKS = $(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/python -m bin.format_pages --check && \
	$(BIN)/mypy

test: .venv/installed
	$(CHECKS) && $(BIN)/pytest

quick: .venv/installed
	$(CHECKS) && $(BIN)/pytest --quick

bench: .venv/installed
	for name in face plate generate sitting marks startup votes; do $(BIN)/python -m bench.$$name; done

space: .venv/installed
	$(BIN)/python -m bin.space

fix: .venv/installed
	$(BIN)/ruff format . && $(BIN)/ruff check --fix . && $(BIN)/python -m bin.format_pages

clean:
	rm -rf .venv space .pytest_cache .mypy_cache .ruff_cache .hypothesis
