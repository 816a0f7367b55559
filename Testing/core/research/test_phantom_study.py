"""The folder that a simulated patient is written to: a study that any reader of NIfTI and BIDS names can use."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from inference_core import __version__
from inference_core.errors import InputError
from inference_core.networks import kspace
from inference_core.research.phantom import simulate_patient, write_study
from inference_core.terms.conditions import METABOLITES

SEED, SLICES, RESOLUTIONS = 7, 2, (16, 22)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("study")
    return folder, write_study(simulate_patient(SEED), folder, RESOLUTIONS, slices=SLICES)


@pytest.fixture(scope="module")
def stack():
    return simulate_patient(SEED).middle_slices(SLICES)


def _map(folder: Path, name: str) -> sitk.Image:
    return sitk.ReadImage(str(folder / f"sub-0007/mrsi/sub-0007_{name}.nii.gz"))


def test_layout(study):
    folder, written = study
    expected = {"dataset_description.json", "participants.tsv"}
    lock = {".participants.lock"}
    names = ["anat/sub-0007_T1w", "anat/sub-0007_FLAIR", "mrsi/sub-0007_res-high_desc-tumour_mask"]
    kinds = ["res-high_desc-truth", "res-high_desc-acquired", "res-high_desc-valid"]
    kinds += [f"res-n{n}_desc-acquired" for n in RESOLUTIONS]
    names += [f"mrsi/sub-0007_{kind}_{metabolite}" for kind in kinds for metabolite in METABOLITES]
    expected |= {f"sub-0007/{name}{extension}" for name in names for extension in (".nii.gz", ".json")}
    # Nothing temporary stays behind, and everything is reported.
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == expected | lock
    assert {str(path.relative_to(folder)) for path in written} == expected
    assert len(written) == len(expected)


def test_everything_says_that_it_is_simulated(study):
    folder, _ = study
    for path in folder.rglob("*.json"):
        content = json.loads(path.read_text())
        assert content["Simulated"] is True
        assert "No patient was scanned" in content["Notice"]
    sidecar = json.loads((folder / "sub-0007/mrsi/sub-0007_res-n16_desc-acquired_Gln.json").read_text())
    assert sidecar["Metabolite"] == "Gln"
    assert sidecar["Units"] == "institutional units"
    assert sidecar["n"] == 16
    assert sidecar["Seed"] == SEED
    assert sidecar["SoftwareVersion"] == __version__


def test_maps_are_the_ones_that_training_uses(study, stack):
    folder, _ = study
    for index, metabolite in enumerate(METABOLITES):
        for name, array in (("truth", stack.truth), ("acquired", stack.acquired), ("valid", stack.mask)):
            image = _map(folder, f"res-high_desc-{name}_{metabolite}")
            np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array[index].astype(np.float32))


def test_low_resolution_maps_keep_the_first_voxels_centre_and_the_field_of_view(study, stack):
    folder, _ = study
    full = _map(folder, "res-high_desc-acquired_NAA")
    grid = simulate_patient(SEED).grid(SLICES)
    np.testing.assert_allclose(full.GetOrigin(), grid.origin, atol=1e-3)
    np.testing.assert_allclose(full.GetSpacing(), grid.spacing, atol=1e-5)
    np.testing.assert_allclose(full.GetDirection(), np.ravel(grid.direction), atol=1e-5)
    for n in RESOLUTIONS:
        coarse = _map(folder, f"res-n{n}_desc-acquired_NAA")
        assert coarse.GetSize() == (n, n, SLICES)
        np.testing.assert_allclose(coarse.GetOrigin(), full.GetOrigin(), atol=1e-3)
        np.testing.assert_allclose(coarse.GetDirection(), full.GetDirection(), atol=1e-5)
        spacing = np.array(full.GetSpacing()) * [64 / n, 64 / n, 1]
        np.testing.assert_allclose(coarse.GetSpacing(), spacing, rtol=1e-5)
        expected = kspace.low_resolution(torch.from_numpy(stack.acquired[METABOLITES.index("NAA")]), (n, n))
        np.testing.assert_allclose(sitk.GetArrayFromImage(coarse), expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "least"), [("T1w", 0.95), ("FLAIR", 0.85)])
def test_native_mri_shows_what_the_slabs_show(study, stack, name, least):
    folder, _ = study
    native = sitk.ReadImage(str(folder / f"sub-0007/anat/sub-0007_{name}.nii.gz"))
    assert native.GetPixelID() == sitk.sitkInt16
    fine = simulate_patient(SEED).grid(SLICES).refined()
    reference = sitk.Image(list(fine.size), sitk.sitkUInt8)
    reference.SetOrigin(fine.origin)
    reference.SetSpacing(fine.spacing)
    reference.SetDirection(np.ravel(fine.direction).tolist())
    # -1 marks what the native volume does not cover.
    resampled = sitk.Resample(native, reference, sitk.Transform(), sitk.sitkLinear, -1.0, sitk.sitkFloat32)
    array = sitk.GetArrayFromImage(resampled).reshape(SLICES, 3, 192, 192).transpose(0, 2, 3, 1)
    direct = stack.t1 if name == "T1w" else stack.flair
    assert array.min() >= 0
    brain = direct > 0
    assert np.corrcoef(array[brain], direct[brain])[0, 1] > least


def test_native_grids_are_their_own(study):
    folder, _ = study
    images = [sitk.ReadImage(str(folder / f"sub-0007/anat/sub-0007_{name}.nii.gz")) for name in ("T1w", "FLAIR")]
    images.append(_map(folder, "res-high_desc-truth_NAA"))
    assert len({image.GetSize() for image in images}) == 3
    assert len({tuple(np.round(image.GetDirection(), 3)) for image in images}) == 3


def test_patients_share_a_folder(tmp_path, monkeypatch):
    _without_native_mri(monkeypatch)
    for seed in (12, 3, 12):
        write_study(simulate_patient(seed), tmp_path, (16,), slices=1)
    rows = list(csv.DictReader((tmp_path / "participants.tsv").open(), delimiter="\t"))
    assert [row["participant_id"] for row in rows] == ["sub-0003", "sub-0012"]
    assert [row["seed"] for row in rows] == ["3", "12"]
    assert (tmp_path / "sub-0012/mrsi").is_dir()


def test_a_lone_sample_has_no_files_about_a_dataset(tmp_path, monkeypatch):
    _without_native_mri(monkeypatch)
    write_study(simulate_patient(3), tmp_path, (16,), slices=1, single=True)
    assert {path.name for path in tmp_path.iterdir()} == {"anat", "mrsi"}
    assert (tmp_path / "anat/sub-0003_T1w.nii.gz").is_file()


def _without_native_mri(monkeypatch):
    """Empty native volumes: rendering them takes seconds, and these tests are about files."""
    from inference_core.research.phantom.patient import SimulatedPatient

    monkeypatch.setattr(SimulatedPatient, "mri", lambda self, contrast, grid, stream: np.zeros(grid.size[::-1]))


def test_bad_input_writes_nothing(tmp_path):
    patient = simulate_patient(0)
    with pytest.raises(InputError, match="does not exist"):
        write_study(patient, tmp_path / "missing")
    for resolutions in ((2,), (65,), (16.5,)):
        with pytest.raises(InputError, match="Resolution"):
            write_study(patient, tmp_path, resolutions)
    with pytest.raises(InputError, match="MRSI slices"):
        write_study(patient, tmp_path, slices=40)
    assert not any(tmp_path.iterdir())


def test_a_lock_that_a_killed_process_left_is_taken_over(tmp_path):
    from inference_core.research.phantom.study import _merge_participant

    lock = tmp_path / ".participants.lock"
    lock.touch()
    path = _merge_participant(tmp_path, {"participant_id": "sub-0001", "seed": 1})
    assert "sub-0001" in path.read_text()


def test_other_studies_and_patients_are_not_written_into(tmp_path, monkeypatch):
    _without_native_mri(monkeypatch)
    description = tmp_path / "dataset_description.json"
    description.write_text('{"Name": "a real study"}')
    with pytest.raises(InputError, match="holds another study"):
        write_study(simulate_patient(3), tmp_path, (16,), slices=1)
    description.unlink()
    real = tmp_path / "sub-0003" / "anat" / "sub-0003_T1w.nii.gz"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"measured")
    with pytest.raises(InputError, match="is not of a simulated patient"):
        write_study(simulate_patient(3), tmp_path, (16,), slices=1)
    assert real.read_bytes() == b"measured"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [real.name]
