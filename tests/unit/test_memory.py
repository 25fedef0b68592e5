"""Where tests put their files."""

from tests import memory


def test_files_go_into_memory_where_it_has_room(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMORY", tmp_path)
    monkeypatch.setattr(memory, "ROOM", 1)

    assert memory.folder() == str(tmp_path)


def test_files_go_where_they_usually_do_when_memory_is_missing_or_small(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMORY", tmp_path / "missing")
    missing = memory.folder()
    monkeypatch.setattr(memory, "MEMORY", tmp_path)
    monkeypatch.setattr(memory, "ROOM", 2**62)

    assert (missing, memory.folder()) == (None, None)
