"""Locks where the file system has none, and what dead writers leave behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxagent.study import files, lock
from jaxagent.study.files import Unwritable, is_of_the_disk, remove_leftovers, write_json

NAMES = [".trained.json.rdgl1qm_", ".results.csv.abcdefgh", ".a b.html.0123abcd"]
OTHERS = [".env", ".config.abcdefgh", "trained.json", ".trained.json.short", ".x.json.ABCDEFGH"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS])
@pytest.mark.parametrize("wait", [True, False])
def test_a_file_system_without_locks_is_told(number, wait, monkeypatch, tmp_path):
    def flock(file: object, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    told = pytest.raises(Unwritable, match="the file system has no locks")
    with told as error, lock.lock(tmp_path / "phase", wait):
        raise AssertionError("held")
    assert is_of_the_disk(error.value) and os.strerror(number) in str(error.value)
    assert "\n" not in str(error.value)
    write_json(tmp_path / "a.json", 1)  # needs no lock
    remove_leftovers(tmp_path)
    assert (tmp_path / "a.json").exists()


@pytest.mark.slow
def test_a_study_on_a_file_system_without_locks_ends_with_74(tmp_path):
    code = (
        "import errno, fcntl, os\n"
        "def flock(file, how): raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))\n"
        "fcntl.flock = flock\n"
        "from jaxagent.__main__ import main; main()"
    )
    command = [sys.executable, "-c", code, "study", "run", "quickstart", "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 74
    last = done.stderr.splitlines()[-1]
    assert last.startswith("jaxagent: ") and "the file system has no locks" in last


def test_what_dead_writers_left_is_removed_and_nothing_else(tmp_path):
    for name in (*NAMES, *OTHERS):
        (tmp_path / name).write_text("half")
    remove_leftovers(tmp_path, fresh=60)
    assert len(list(tmp_path.iterdir())) == len(NAMES) + len(OTHERS)
    remove_leftovers(tmp_path, fresh=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(OTHERS)
    remove_leftovers(tmp_path / "nowhere")


def test_the_lock_on_a_folder_comes_with_a_tidy_one(tmp_path):
    (tmp_path / NAMES[0]).write_text("half")
    with lock.lock(tmp_path, wait=False) as held:
        assert held and [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_what_a_living_writer_is_at_stays(tmp_path):
    """The writer is stopped in the middle."""
    code = (
        "import os, sys, time\nfrom jaxagent.study import files\n"
        "os.fsync = lambda _: (print('writing', flush=True), time.sleep(60))\n"
        f"files.write_text({str(tmp_path / 'a.json')!r}, 'whole')\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None and writer.stdout.readline() == "writing\n"
        remove_leftovers(tmp_path, fresh=0)
        [half] = tmp_path.iterdir()
        writer.kill()
        writer.wait()
        assert half.exists()
        remove_leftovers(tmp_path, fresh=0)
        assert not list(tmp_path.iterdir())
    finally:
        writer.kill()


def test_a_stop_behind_the_replacing_is_not_hidden_by_what_is_gone(tmp_path, monkeypatch):
    replace = os.replace

    def interrupted(old: str, new: Path) -> None:
        replace(old, new)
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write_text(tmp_path / "a.json", "whole")
    assert (tmp_path / "a.json").read_text() == "whole"
