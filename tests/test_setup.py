"""The three lists of dependencies agree, and the files that the README names are there."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
CONDA_NAMES = {"pytorch-cpu": "torch"}


@pytest.fixture(scope="module")
def required():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return by_name([project["dependencies"], *project["optional-dependencies"].values()])


@pytest.fixture(scope="module")
def not_for_conda():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return by_name(
        [
            project["optional-dependencies"][name]
            for name in ("bench", "browser", "classroom", "present")
        ]
    )


def by_name(lists):
    requirements = [Requirement(line) for lines in lists for line in lines]
    return {requirement.name: requirement for requirement in requirements}


@pytest.fixture(scope="module")
def pinned():
    lines = (ROOT / "constraints.txt").read_text().split()
    return dict(line.split("==") for line in lines)


@pytest.fixture(scope="module")
def conda():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pins = [line.split("=") for line in environment["dependencies"] if "=" in str(line)]
    return {CONDA_NAMES.get(name, name): version for name, version in pins}


def test_every_dependency_is_pinned_and_no_other(required, pinned):
    assert set(pinned) == set(required)


def test_pins_are_within_the_bounds_that_pyproject_states(required, pinned):
    for name, requirement in required.items():
        assert requirement.specifier.contains(pinned[name]), name
        assert str(requirement.specifier).startswith(">="), name


def test_conda_environment_has_the_same_packages_and_versions(pinned, conda, not_for_conda):
    ours = {name: v for name, v in conda.items() if name != "python"}
    assert ours == {name: v for name, v in pinned.items() if name not in not_for_conda}


def test_conda_environment_has_a_python_that_the_package_takes(conda):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert Requirement(f"python{project['requires-python']}").specifier.contains(conda["python"])


def test_ci_runs_the_test_commands_of_the_readme():
    readme = (ROOT / "README.md").read_text()
    commands = [
        line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make")
    ]
    assert commands == ["make test", "make test-browser"]
    for command in commands:
        assert re.search(rf"^ *{command} ", readme, re.MULTILINE)


def test_links_in_the_documents_lead_somewhere():
    for document in [*ROOT.glob("*.md"), ROOT / "data" / "README.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"
