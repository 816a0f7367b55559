import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core import __version__
from inference_core.errors import InputError
from inference_core.files import folders
from inference_core.imaging import writing
from inference_core.imaging.writing import check_output, sidecar_path, write_result

IMAGE = sitk.GetImageFromArray(np.arange(24, dtype=np.float32).reshape(2, 3, 4))


def files(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("name", ["out.nii.gz", "out.nii", "out.nrrd", "out.mha", "sub-01.v2_NAA.nii.gz"])
def test_image_and_sidecar_are_written(tmp_path, name):
    path = check_output(tmp_path / name)
    sidecar = write_result(IMAGE, path, {"n": 22, "patient": "Zoë"})
    own = {"SoftwareName": "MRSISuperRes", "SoftwareVersion": __version__}
    assert json.loads(sidecar.read_text(encoding="utf-8")) == {"n": 22, "patient": "Zoë"} | own
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), sitk.GetArrayFromImage(IMAGE))
    assert sidecar == sidecar_path(path)
    assert files(tmp_path) == sorted([name, sidecar.name])
    write_result(IMAGE, path, {"n": 24})
    assert json.loads(sidecar.read_text()) == {"n": 24} | own


def test_sidecar_has_the_images_name():
    assert sidecar_path("a/sub-01.x.nii.gz") == Path("a/sub-01.x.json")


@pytest.mark.parametrize("name", ["out.png", "out", "out.gz", "out.json", ".nii.gz", "out.mhd", "out.NII.GZ"])
def test_unknown_extensions_are_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"does not end in one of \.nii\.gz"):
        check_output(tmp_path / name)
    assert not files(tmp_path)


def test_folders_that_can_not_be_written_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="does not exist: create it"):
        check_output(tmp_path / "none" / "out.nii.gz")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file: choose a folder"):
        check_output(tmp_path / "file" / "out.nii.gz")
    for taken in ("out.nii.gz", "other.json"):
        (tmp_path / taken).mkdir()
    for name in ("out.nii.gz", "other.nrrd"):
        with pytest.raises(InputError, match="is a folder: name a file"):
            check_output(tmp_path / name)

    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folders.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"can't be written \(Permission denied\)"):
        check_output(tmp_path / "out.nrrd")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that not even root can write")
def test_a_folder_that_root_can_not_write_is_refused():
    with pytest.raises(InputError, match="can't be written"):
        check_output("/proc/out.nii.gz")


@pytest.mark.parametrize("culprit", ["image", "sidecar"])
def test_failure_leaves_nothing_half_written(tmp_path, monkeypatch, culprit):
    path = tmp_path / "out.nii.gz"
    write_result(IMAGE, path, {"version": 1})
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    def half_an_image(image, name):
        Path(name).write_bytes(b"half")
        raise RuntimeError("sitk::ERROR:\nNo space left on device")

    def half_a_sidecar(path, content):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    if culprit == "image":
        monkeypatch.setattr(sitk, "WriteImage", half_an_image)
    else:
        monkeypatch.setattr(writing, "write_verified", half_a_sidecar)
    with pytest.raises(InputError, match="No space left on device") as error:
        write_result(IMAGE, path, {"version": 2})
    assert "\n" not in str(error.value)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


@pytest.mark.parametrize("refused", ["name", "content", None])
def test_what_the_disk_answers_is_told_where_itk_tells_a_temporary_name(refused, tmp_path, monkeypatch):
    """As over a quota of btrfs, which may refuse a file that has a name, and take one that has none."""

    def refuse(image, name):
        raise RuntimeError(f"ITK ERROR: NiftiImageIO(0x5617325a7300): failed to write image: {name}")

    def over_quota(*_, **__):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(sitk, "WriteImage", refuse)
    if refused == "name":
        monkeypatch.setattr(Path, "touch", over_quota)
    elif refused == "content":
        monkeypatch.setattr(writing.os, "fsync", over_quota)
    path = tmp_path / "x.nii.gz"
    reason = os.strerror(errno.EDQUOT) if refused else "ITK failed to write it"
    with pytest.raises(InputError, match=rf"^'{path}' can't be written \({reason}\): check"):
        write_result(IMAGE, path, {})
    assert not list(tmp_path.iterdir())


def test_a_sidecar_that_is_no_json_writes_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_result(IMAGE, tmp_path / "out.nii.gz", {"path": object()})
    assert not files(tmp_path)
