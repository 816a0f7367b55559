"""Files are written whole or not at all, on disks that fill up, refuse or forget."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference_core.errors import InputError
from inference_core.files import atomic
from inference_core.files.atomic import (
    TEMPORARY_PREFIX,
    atomic_folder,
    atomic_pair,
    atomic_path,
    cannot_write,
    remove_leftovers,
    write_file,
)
from inference_core.files.folders import make_folder, make_folders


def files(folder):
    return sorted(file.name for file in folder.iterdir())


def failing(monkeypatch, name, code=errno.ENOSPC, after=0):
    """Let a function of `os`, as the module calls it, fail from a call on."""
    real, calls = getattr(os, name), []

    def fail(*arguments, **options):
        calls.append(arguments)
        if len(calls) > after:
            raise OSError(code, os.strerror(code))
        return real(*arguments, **options)

    monkeypatch.setattr(atomic.os, name, fail)
    return calls


@pytest.mark.parametrize("content", ["déjà\nvu", b"\0\r\n\xff", b"", memoryview(b"x" * 3_000_000)])
def test_a_file_holds_what_was_written(tmp_path, content):
    write_file(tmp_path / "a.txt", "earlier")
    write_file(tmp_path / "a.txt", content)
    expected = content.encode() if isinstance(content, str) else bytes(content)
    assert (tmp_path / "a.txt").read_bytes() == expected
    assert files(tmp_path) == ["a.txt"]


def test_names_of_another_encoding_are_told_and_read_again(tmp_path):
    name = os.fsdecode(b"M\xfcller.nii")
    write_file(tmp_path / "a.json", json.dumps({"Sources": name}, ensure_ascii=False))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"Sources": name}


def test_a_temporary_file_has_the_extension_and_nothing_else_of_the_name(tmp_path):
    for name, extension in (("model.pt", ".pt"), ("x.img.nii.gz", ".nii.gz"), ("x.nii", ".nii"), ("plain", "")):
        with atomic_path(tmp_path / name) as temporary:
            temporary.write_text("one")
            assert temporary.name.removeprefix(TEMPORARY_PREFIX)[8:] == extension
            assert not (tmp_path / name).exists()
        assert (tmp_path / name).read_text() == "one"
    long = "n" * 250 + ".csv"
    write_file(tmp_path / long, "as long as a name may be")
    assert (tmp_path / long).exists()


def test_an_error_in_the_block_leaves_what_was_there(tmp_path):
    write_file(tmp_path / "a.txt", "one")
    with pytest.raises(KeyError), atomic_path(tmp_path / "a.txt") as temporary:  # noqa: PT012
        temporary.write_text("two")
        raise KeyError
    assert (tmp_path / "a.txt").read_text() == "one"
    assert files(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_the_disk_tells_late_is_told_in_one_sentence(tmp_path, monkeypatch, call, code):
    write_file(tmp_path / "a.txt", "one")
    with monkeypatch.context() as patched:
        if call == "fsync":
            failing(patched, call, code)
        else:
            patched.setattr(Path, "replace", lambda *_: failing_call(code))
        with pytest.raises(InputError) as refused:
            write_file(tmp_path / "a.txt", "two")
    assert str(refused.value) == (
        f"'{tmp_path / 'a.txt'}' can't be written ({os.strerror(code)}): check the free space and permissions of its "
        "folder."
    )
    assert (tmp_path / "a.txt").read_text() == "one"
    assert files(tmp_path) == ["a.txt"]


def failing_call(code):
    raise OSError(code, os.strerror(code))


def test_file_systems_without_fsync_are_written_to(tmp_path, monkeypatch):
    assert failing(monkeypatch, "fsync", errno.EINVAL) == []
    write_file(tmp_path / "a.txt", "one")
    assert (tmp_path / "a.txt").read_text() == "one"


def test_a_disk_that_forgets_is_found_out(tmp_path, monkeypatch):
    real = Path.open

    def forgetful(self, mode="r", *rest, **options):
        file = real(self, mode, *rest, **options)
        if mode != "wb":
            return file
        file.write(b"")
        file.close()
        file = real(self, "wb")
        write = file.write

        class Half:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                file.close()

            def write(self, data):
                write(bytes(data)[: len(data) // 2])

        return Half()

    monkeypatch.setattr(Path, "open", forgetful)
    with pytest.raises(InputError, match="what was written reads differently"):
        write_file(tmp_path / "a.txt", "some text")
    assert not files(tmp_path)


def test_a_pair_changes_together(tmp_path):
    image, about = tmp_path / "a.nii", tmp_path / "a.json"

    def write(text, fail=False):
        with atomic_pair(image, about) as (one, two):
            one.write_text(text)
            two.write_text(f"about {text}")
            if fail:
                raise KeyError

    write("1")
    write("2")
    with pytest.raises(KeyError):
        write("3", fail=True)
    assert (image.read_text(), about.read_text()) == ("2", "about 2")
    assert files(tmp_path) == ["a.json", "a.nii"]


@pytest.mark.parametrize("failed", [1, 2, 3])
def test_no_description_stands_beside_a_file_that_it_is_not_of(tmp_path, monkeypatch, failed):
    image, about = tmp_path / "a.nii", tmp_path / "a.json"
    image.write_text("1")
    about.write_text("about 1")
    real, calls = Path.replace, []

    def replace(self, target):
        calls.append(target)
        if len(calls) == failed:
            failing_call(errno.EIO)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(InputError, match="Input/output error"), atomic_pair(image, about) as (one, two):  # noqa: PT012
        one.write_text("2")
        two.write_text("about 2")
    # The old ones stay, or at worst the new file is there without a description.
    assert (image.read_text(), about.exists()) == (("1", True) if failed < 3 else ("2", False))
    assert not about.exists() or about.read_text() == "about 1"
    assert files(tmp_path) == (["a.json", "a.nii"] if failed < 3 else ["a.nii"])


@pytest.mark.parametrize("failed", [1, 2])
def test_a_new_files_description_comes_first_and_goes_with_it(tmp_path, monkeypatch, failed):
    image, about = tmp_path / "a.nii", tmp_path / "a.json"
    real, calls = Path.replace, []

    def replace(self, target):
        calls.append(target)
        if len(calls) == failed:
            failing_call(errno.EIO)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(InputError, match="Input/output error"), atomic_pair(image, about) as (one, two):  # noqa: PT012
        one.write_text("1")
        two.write_text("about 1")
    assert calls == [about, image][:failed]
    assert not files(tmp_path)


def test_what_a_killed_run_left_is_removed(tmp_path):
    (tmp_path / f"{TEMPORARY_PREFIX}0badcafe.pt").write_text("half")
    (tmp_path / ".hidden").write_text("not ours")
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "missing")
    assert files(tmp_path) == [".hidden"]


def test_a_folder_takes_the_place_of_an_earlier_one_only_when_it_is_complete(tmp_path):
    place = tmp_path / "sub-01"
    for text in ("one", "two"):
        with atomic_folder(place) as folder:
            (folder / f"{text}.txt").write_text(text)
        assert files(place) == [f"{text}.txt"]
    with pytest.raises(KeyError), atomic_folder(place) as folder:  # noqa: PT012
        (folder / "three.txt").write_text("three")
        raise KeyError
    assert files(tmp_path) == ["sub-01"]
    assert files(place) == ["two.txt"]
    with pytest.raises(InputError, match="No space left on device"), atomic_folder(place):
        failing_call(errno.ENOSPC)
    assert files(place) == ["two.txt"]
    # Killed between the two renames: what was there before comes back.
    place.rename(tmp_path / ".sub-01.earlier")
    (tmp_path / ".sub-01.partial").mkdir()
    with pytest.raises(KeyError), atomic_folder(place):
        raise KeyError
    assert files(tmp_path) == ["sub-01"]
    assert files(place) == ["two.txt"]


@pytest.mark.parametrize("known", [True, False])
def test_an_earlier_folder_is_in_its_place_until_the_new_one_is(tmp_path, monkeypatch, known):
    """Where the system can exchange two names, it takes one step; elsewhere a failed second one is undone."""
    place = tmp_path / "sub-01"
    with atomic_folder(place) as folder:
        (folder / "one.txt").write_text("one")
    if not known:
        monkeypatch.setattr(atomic, "exchange", lambda one, other: False)
    elif not atomic.exchange(place, place):
        pytest.skip("this system or disk can't exchange two names")
    rename, renamed = Path.rename, []

    def counted(path, target):
        renamed.append(path.name)
        if path.name == ".sub-01.partial":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", counted)
    if known:
        with atomic_folder(place) as folder:
            (folder / "two.txt").write_text("two")
        assert renamed == []
        assert files(place) == ["two.txt"]
    else:
        with pytest.raises(InputError, match="Input/output error"), atomic_folder(place):
            pass
        assert renamed == ["sub-01", ".sub-01.partial", ".sub-01.earlier"]
        assert files(place) == ["one.txt"]
    assert files(tmp_path) == ["sub-01"]


def test_folders_that_can_not_be_made_are_told_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be made"):
        make_folders(tmp_path / "file" / "folder")
    with pytest.raises(InputError, match="is a file: choose a folder"):
        make_folder(tmp_path / "file" / "folder")
    assert make_folders(tmp_path / "a" / "b" / "c").is_dir()


def test_a_limit_on_the_size_of_files_is_told_in_one_sentence(tmp_path):
    resource = pytest.importorskip("resource", reason="limits of a process's files are POSIX's")
    code = (
        "from pathlib import Path\nfrom inference_core.files.atomic import write_file\n"
        f"write_file(Path({str(tmp_path)!r}) / 'a.bin', bytes(100_000))\n"
    )

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = subprocess.run([sys.executable, "-c", code], preexec_fn=limited, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "can't be written (File too large)" in done.stderr
    assert not files(tmp_path)


def test_a_file_of_a_folder_is_told_by_its_later_place(tmp_path):
    place = tmp_path / "sub-01"
    with (
        pytest.raises(InputError, match=rf"^'{place}/x.txt' can't be written \(no space\): "),
        atomic_folder(place) as new,
    ):
        raise cannot_write(new / "x.txt", "no space")
    assert not list(tmp_path.iterdir())
