"""What a batch survives: strange folders, swapped axes, folders that can't be written, disks that fill up."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from inference_core import InputError, SuperResolver
from inference_core.batch import BatchRequest, run_batch
from inference_core.files import atomic
from inference_core.networks import kspace
from inference_core.study.walker import find_patients


class ZeroFilling(nn.Module):
    """Needs no weights, and treats all directions alike."""

    def forward(self, low_resolution, t1, flair, n, metabolite, sharpness):
        return kspace.zero_filled(low_resolution, (64, 64))


@pytest.fixture(scope="module")
def resolver():
    return SuperResolver(ZeroFilling(), "cpu")


@pytest.fixture
def study(patient, tmp_path):
    """Two patients in a folder with spaces and umlauts."""
    images = dict(zip(("NAA", "T1", "FLAIR"), patient(size=(16, 16, 2)), strict=True))
    for name in ("Müller, A", "b c"):
        (tmp_path / "my stüdy" / name).mkdir(parents=True)
        for role, image in images.items():
            sitk.WriteImage(image, str(tmp_path / "my stüdy" / name / f"{role}.nii.gz"))
    return tmp_path / "my stüdy"


def left_over(folder):
    """Files that are no complete result, sidecar or table."""
    return [p for p in folder.rglob("*") if p.is_file() and (p.name.startswith(".") and p.suffix != ".lock")]


def test_names_with_spaces_and_umlauts(study, resolver, tmp_path):
    rows = run_batch(BatchRequest(study, tmp_path / "résultats ici"), resolver=resolver)
    assert [(row.patient, row.status) for row in rows] == [("Müller, A", "done"), ("b c", "done")]
    assert (tmp_path / "résultats ici" / "sub-MüllerA" / "mrsi").is_dir()


@pytest.mark.parametrize("order", ["RAS", "LPI", "RPS"])
def test_the_order_of_a_files_axes_changes_nothing_in_the_patient(patient, resolver, order):
    low_resolution, t1, flair = patient(size=(15, 15, 3))
    turned = [sitk.DICOMOrient(image, order) for image in (low_resolution, t1, flair)]
    expected = resolver(low_resolution, t1, flair, "NAA")
    found = resolver(*turned, "NAA")
    back = sitk.Resample(found, expected, sitk.Transform(), sitk.sitkNearestNeighbor)
    values = sitk.GetArrayFromImage(expected)
    assert np.abs(sitk.GetArrayFromImage(back) - values).max() < 0.02 * values.max()


def test_links_in_circles_and_duplicates(study, resolver, tmp_path):
    (study / "b c" / "again").symlink_to(study, target_is_directory=True)
    (study / "b c" / "gone.nii.gz").symlink_to(tmp_path / "nowhere.nii.gz")
    shutil.copy(study / "Müller, A" / "NAA.nii.gz", study / "Müller, A" / "NAA.nii")
    rows = {row.patient: row for row in run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)}
    assert rows["b c"].status == "done"
    assert "would have one name" in rows["Müller, A"].message


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_result_that_cannot_be_written_leaves_nothing_and_stops_no_other(
    study, resolver, tmp_path, monkeypatch, code
):
    write = sitk.WriteImage

    def failing(image, name, *rest):
        if "Müller" in str(name):
            # Half of it is there when the disk is full.
            Path(name).write_bytes(b"half")
            raise OSError(code, os.strerror(code))
        write(image, name, *rest)

    monkeypatch.setattr(sitk, "WriteImage", failing)
    rows = {row.patient: row for row in run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)}
    assert rows["b c"].status == "done"
    assert rows["Müller, A"].status == "failed"
    assert "can't be written" in rows["Müller, A"].message
    assert not list((tmp_path / "out").glob("sub-Müller*/**/*.*"))
    assert not left_over(tmp_path / "out")


def test_an_earlier_result_outlives_a_failed_one(study, resolver, tmp_path, monkeypatch):
    run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*superres*") if p.is_file()}

    def full(image, name, *rest):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sitk, "WriteImage", full)
    rows = run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    assert all("An earlier result is still there." in row.message for row in rows)
    assert {p: p.read_bytes() for p in before} == before


def test_a_full_disk_is_told_in_one_sentence_for_the_table_too(study, resolver, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    monkeypatch.setattr(atomic, "write_verified", full)
    with pytest.raises(InputError, match=r"batch.tsv' can't be written \(No space left on device\)"):
        run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)


#: Parts of paths that the search for patients looks at, and nonsense.
NAMES = st.sampled_from(
    [
        *(
            "sub-01",
            "sub-02",
            "ses-1",
            "anat",
            "mrsi",
            "derivatives",
            ".git",
            "x y",
            "ü",
            "a",
            "dataset_description.json",
        ),
        *(
            "T1.nii.gz",
            "sub-01_FLAIR.nii.gz",
            "NAA.nii",
            "tCho_crlb.nii",
            "GPC+PCh.nrrd",
            "sub-01_desc-superres_NAA.nii",
        ),
    ]
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    trees=st.lists(
        st.tuples(st.lists(NAMES, min_size=1, max_size=4), st.sampled_from(["file", "folder", "link"])), max_size=12
    )
)
def test_any_tree_of_files_is_a_study_or_refused(trees, tmp_path_factory):
    study = tmp_path_factory.mktemp("tree")
    for parts, kind in trees:
        path = study.joinpath(*parts)
        try:
            if kind == "folder":
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "link":
                path.symlink_to(study, target_is_directory=True)
            else:
                path.write_bytes(b"{}")
        except OSError:
            # A file where this one needs a folder, or the other way round.
            continue
    try:
        patients = find_patients(study)
    except InputError:
        return
    assert patients
    assert len({one.name for one in patients}) == len(patients)
