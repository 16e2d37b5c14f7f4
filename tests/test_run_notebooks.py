import nbformat
import pytest

from tools import run_notebooks


@pytest.fixture
def stored(tmp_path, monkeypatch):
    path = tmp_path / "01_small.ipynb"
    path.write_text("old")
    monkeypatch.setattr(run_notebooks, "execute", lambda path: nbformat.v4.new_notebook())
    return path


def test_a_notebook_is_stored_and_nothing_left_beside_it(stored):
    stored.chmod(0o640)
    run_notebooks.main([str(stored)])
    assert nbformat.read(stored, as_version=4).cells == []
    assert [path.name for path in stored.parent.iterdir()] == [stored.name]
    assert stored.stat().st_mode & 0o777 == 0o640


def test_a_full_disk_leaves_the_old_notebook(stored, monkeypatch):
    def fill(path, text, **_):
        with open(path, "w") as file:
            file.write(text[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_notebooks.Path, "write_text", fill)
    with pytest.raises(OSError, match="No space left"):
        run_notebooks.main([str(stored)])
    assert [path.name for path in stored.parent.iterdir()] == [stored.name]
    assert stored.read_text() == "old"


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_executed(stored, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(run_notebooks.tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(run_notebooks, "execute", lambda path: pytest.fail("executed"))
    with pytest.raises(SystemExit, match=r"expected a folder to write to, got Permission denied$"):
        run_notebooks.main([str(stored)])
