# make lab           the course in JupyterLab, in a folder of your own: my_course
# make test          everything that must pass without a browser
# make test-browser  notebooks and explorers in JupyterLab, in a headless Chromium
# make notebooks     execute the notebooks and store their outputs
# make site          the course as pages that need no Python, in site/
# make present       the tour without its code, for a lecture
# make assignments   the students' versions of the assignments, in notebooks/assignments/release
# make bench         the performance tables of the README, and the memory of the notebooks
#
# PYTHON    the interpreter that .venv is made from (3.11 or newer)
# PIP_ARGS  more arguments for pip, such as PyTorch's CPU index: see the README
# JOBS      processes that run the tests
# SITE_ARGS  --repository OWNER/NAME --hub URL: for links to GitHub, Binder, Colab and a JupyterHub
# PRESENT   the notebook that make present shows
# LAB_ARGS  another folder than my_course, and more arguments for JupyterLab

PYTHON ?= python3
PIP_ARGS ?=
JOBS ?= 2
LAB_ARGS ?=
SITE_ARGS ?=
PRESENT ?= notebooks/00_tour.ipynb

BIN := .venv/bin
READY := .venv/ready
TOOLS := .venv/tools
BROWSER := .venv/browser
VOILA := .venv/voila
NBGRADER := nbgrader.server_extensions
COMPILE_AHEAD := $(BIN)/python -c "from bn_tutorial.network import compile_ahead; compile_ahead()"

.PHONY: lab test test-browser notebooks site present assignments bench clean

lab: $(READY)
	$(BIN)/bn-tutorial lab $(LAB_ARGS)

# conftest.py runs the notebooks without the newest instructions
test: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	NUMBA_CPU_NAME=generic $(COMPILE_AHEAD)
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

test-browser: $(BROWSER)
	$(BIN)/python -m tools.lab
	$(BIN)/pytest tests/browser

notebooks: $(TOOLS)
	$(BIN)/python tools/run_notebooks.py

# two processes: a thread each
site: $(TOOLS)
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.site $(SITE_ARGS)

present: $(VOILA)
	$(BIN)/voila $(PRESENT)

# nbgrader looks for a program in the path
assignments: $(TOOLS)
	cd notebooks/assignments && \
	  PATH="$(CURDIR)/$(BIN):$$PATH" nbgrader generate_assignment --force '*'

bench: $(BROWSER)
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.interaction
	$(BIN)/python -m benchmarks.memory

clean:
	rm -rf .venv

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e .
	$(COMPILE_AHEAD)
	touch $(READY)

# nbgrader adds menus and two seconds to JupyterLab: the course does without
$(TOOLS): $(READY)
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e ".[classroom,cluster,site,test]"
	$(BIN)/jupyter labextension disable --level=sys_prefix @jupyter/nbgrader @jupyter-notebook/lab-extension
	$(BIN)/jupyter server extension disable --sys-prefix \
	  $(addprefix $(NBGRADER).,assignment_list course_list formgrader validate_assignment)
	touch $(TOOLS)

$(BROWSER): $(READY)
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e ".[browser,site,test]"
	touch $(BROWSER)

$(VOILA): $(READY)
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e ".[present]"
	touch $(VOILA)
