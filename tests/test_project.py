"""What keeps the project in step with itself: the lock, the changelog, the workflows."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_lock_has_what_was_tested_and_a_digest_of_each():
    locked = re.findall(
        r"^([\w.-]+)==(\S+)[^\n]*\\\n((?: +--hash=sha256:[0-9a-f]{64}[ \\]*\n)+)",
        (ROOT / "requirements.lock").read_text() + "\n",
        re.MULTILINE,
    )
    versions = {name: version for name, version, _ in locked}
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert len(locked) == sum(bool(re.match(r"\w", line)) for line in lines) > 100
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    assert {name: versions.get(name) for name in pinned} == pinned


def test_the_version_is_the_same_everywhere():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == VERSION
    assert re.search(rf"^## {re.escape(VERSION)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)


def test_ci_runs_what_the_repository_says():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = workflow["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["bash .ci/run"]


def test_a_tag_publishes_what_make_makes():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "publish.yml").read_text())
    commands = [step.get("run", "") for step in workflow["jobs"]["build"]["steps"]]
    made = re.findall(r"make (\w+)", " ".join(commands))
    assert made == ["site"]
    assert re.search(r"^site:", (ROOT / "Makefile").read_text(), re.M)


@pytest.mark.parametrize("name", ["ci.yml", "publish.yml"])
def test_workflows_may_only_read_unless_a_job_says_more(name):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v0"))


def test_hooks_before_a_commit_look_at_files_that_are_there():
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    commands = " ".join(hook["entry"] for hook in local["hooks"])
    for path in re.findall(r"tests/\w+\.py", commands):
        assert (ROOT / path).exists()
    pattern = next(hook["files"] for hook in local["hooks"] if hook["id"] == "notebooks")
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert all(re.search(pattern, path.relative_to(ROOT).as_posix()) for path in notebooks)
