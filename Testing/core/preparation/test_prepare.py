"""A study off the scanner through `mrsi-superres prepare`: what is found, written, refused, and read by the rest."""

import gzip
import json
import os
import shutil
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from lcmodel_files import spar_text, write_examination

from inference_core.commands.cli import main
from inference_core.errors import InputError
from inference_core.preparation import prepared_study, run
from inference_core.research.data.study import read_patient
from inference_core.research.phantom import simulate_patient, write_study
from inference_core.study.walker import find_parts, find_patients

#: What is fitted, and what LCModel calls it.
LCMODEL_NAMES = {"tCho": "GPC+PCh", "tCr": "Cr+PCr", "NAA": "NAA"}
#: Names of the two patients' folders, and of theirs in the output.
BIDS_PATHS = {"P 02": "sub-P02", "Müller_1": "sub-Müller1"}


def straightened(image: sitk.Image, direction: np.ndarray) -> sitk.Image:
    """An image moved with the patient so that a map of this direction has no oblique axes, as a .spar wants it."""
    moved = sitk.Image(image)
    moved.SetDirection((direction.T @ np.array(image.GetDirection()).reshape(3, 3)).ravel().tolist())
    moved.SetOrigin((direction.T @ np.array(image.GetOrigin())).tolist())
    return moved


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A simulated patient's T1, FLAIR, maps of n = 16 by metabolite, and maps of full resolution; two slices."""
    folder = tmp_path_factory.mktemp("simulated")
    write_study(simulate_patient(3), folder, resolutions=[16], slices=2)
    images = {path.name: sitk.ReadImage(str(path)) for path in folder.rglob("*.nii.gz")}
    direction = np.array(images["sub-0003_res-high_desc-acquired_NAA.nii.gz"].GetDirection()).reshape(3, 3)
    images = {name: straightened(image, direction) for name, image in images.items()}
    return {
        "t1": images["sub-0003_T1w.nii.gz"],
        "flair": images["sub-0003_FLAIR.nii.gz"],
        "low": {m: images[f"sub-0003_res-n16_desc-acquired_{m}.nii.gz"] for m in LCMODEL_NAMES},
        "high": {m: images[f"sub-0003_res-high_desc-acquired_{m}.nii.gz"] for m in LCMODEL_NAMES},
    }


def write_lcmodel_patient(folder, simulated, snr=None):
    """T1, FLAIR, LCModel's tables and a .spar, each in a folder of its own."""
    arrays = {LCMODEL_NAMES[m]: sitk.GetArrayFromImage(image) for m, image in simulated["low"].items()}
    write_examination(folder / "spectra" / "lcmodel", arrays, snr=snr)
    image = simulated["low"]["NAA"]
    middle = image.TransformContinuousIndexToPhysicalPoint([(count - 1) / 2 for count in image.GetSize()])
    columns, _, slices = image.GetSize()
    step, _, thickness = image.GetSpacing()
    spar = spar_text(columns, slices, fov=columns * step, thickness=thickness, centre=middle)
    (folder / "spectra" / "scan.SPAR").write_text(spar)
    (folder / "anatomy").mkdir()
    sitk.WriteImage(simulated["t1"], str(folder / "anatomy" / "T1 mprage.nii.gz"))
    sitk.WriteImage(simulated["flair"], str(folder / "anatomy" / "t2_flair.nrrd"))


@pytest.fixture(scope="module")
def study(simulated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "my study"
    for name in BIDS_PATHS:
        write_lcmodel_patient(folder / name, simulated)
    return folder


@pytest.fixture(scope="module")
def prepared(study, tmp_path_factory):
    """The study prepared, without registration."""
    output = tmp_path_factory.mktemp("prepared") / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["prepare", str(study), str(output), "--no-registration"]) == 0
    return output


@pytest.fixture
def no_report(monkeypatch):
    """Pictures take longest."""
    monkeypatch.setattr(run, "_reported", lambda *_: ())


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def array_of(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_each_patient_has_all_its_files_with_sidecars(prepared):
    description = json.loads((prepared / "dataset_description.json").read_text())
    assert description["GeneratedBy"][0]["Name"] == "MRSISuperRes prepare"
    expected = {f"anat/{{}}_space-mrsi_desc-brain_{what}" for what in ("T1w", "FLAIR", "mask")}
    expected |= {
        f"mrsi/{{}}_res-n16_desc-{kind}_{m}"
        for m in LCMODEL_NAMES
        for kind in ("acquired", "filtered", "valid", "crlb")
    }
    expected |= {f"mrsi/{{}}_res-n16_desc-quality_{what}" for what in ("snr", "fwhm")}
    for bids_path in BIDS_PATHS.values():
        written = contents(prepared / bids_path)
        wanted = {name.format(bids_path) + ending for name in expected for ending in (".json", ".nii.gz")}
        assert {name for name in written if not name.startswith("figures/")} == wanted
    assert not list(prepared.rglob(".*"))


def test_maps_are_what_was_fitted_in_its_place(prepared, simulated):
    folder = prepared / "sub-P02" / "mrsi"
    for metabolite, image in simulated["low"].items():
        acquired = sitk.ReadImage(str(folder / f"sub-P02_res-n16_desc-acquired_{metabolite}.nii.gz"))
        values = sitk.GetArrayFromImage(image)
        # LCModel writes three digits and more.
        np.testing.assert_allclose(sitk.GetArrayFromImage(acquired), values, rtol=5e-3, atol=6e-4)
        np.testing.assert_allclose(acquired.GetOrigin(), image.GetOrigin(), atol=1e-3)
        np.testing.assert_allclose(acquired.GetSpacing(), image.GetSpacing(), atol=1e-3)
        np.testing.assert_allclose(acquired.GetDirection(), image.GetDirection(), atol=1e-6)
        valid = array_of(folder / f"sub-P02_res-n16_desc-valid_{metabolite}.nii.gz")
        assert valid.dtype == np.uint8
        filtered = array_of(folder / f"sub-P02_res-n16_desc-filtered_{metabolite}.nii.gz")
        np.testing.assert_array_equal(filtered, np.where(valid, sitk.GetArrayFromImage(acquired), 0))
        assert valid.any()


def test_anatomy_keeps_its_voxels_within_the_brain(prepared, simulated):
    folder = prepared / "sub-P02" / "anat"
    mask = array_of(folder / "sub-P02_space-mrsi_desc-brain_mask.nii.gz")
    t1 = sitk.ReadImage(str(folder / "sub-P02_space-mrsi_desc-brain_T1w.nii.gz"))
    np.testing.assert_allclose(t1.GetOrigin(), simulated["t1"].GetOrigin(), atol=1e-3)
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(t1), np.where(mask, sitk.GetArrayFromImage(simulated["t1"]), 0)
    )
    flair = array_of(folder / "sub-P02_space-mrsi_desc-brain_FLAIR.nii.gz")
    assert flair.shape == simulated["flair"].GetSize()[::-1]
    assert flair.any()


def test_sidecars_say_what_was_done(prepared):
    about = json.loads((prepared / "sub-P02/mrsi/sub-P02_res-n16_desc-filtered_tCho.json").read_text())
    assert about["Sources"] == {"map": "P 02/spectra/lcmodel"}
    assert (about["Metabolite"], about["NameInSource"], about["HolesFilled"]) == ("tCho", "GPC+PCh", "no")
    assert about["Thresholds"]["LeastSNR"] == 2.5
    assert about["Thresholds"]["LargestCRLB_percent"] is None
    assert about["SelectedSlices"] == [0, 1]
    assert 0 <= about["RejectedShares"]["any"] < 0.5
    t1 = json.loads((prepared / "sub-P02/anat/sub-P02_space-mrsi_desc-brain_T1w.json").read_text())
    assert t1["Sources"] == {"T1": "P 02/anatomy/T1 mprage.nii.gz"}
    assert "none: the scanner's coordinates" in t1["Registration"]


def test_find_patients_takes_the_filtered_maps_only(prepared):
    patients = {patient.name: patient for patient in find_patients(prepared)}
    assert sorted(patients) == sorted(BIDS_PATHS.values())
    patient = patients["sub-P02"]
    assert patient.single("T1").name == "sub-P02_space-mrsi_desc-brain_T1w.nii.gz"
    assert patient.single("FLAIR").name == "sub-P02_space-mrsi_desc-brain_FLAIR.nii.gz"
    assert sorted(metabolite for _, metabolite in patient.maps) == sorted(LCMODEL_NAMES)
    assert all("_desc-filtered_" in path.name for path, _ in patient.maps)


def test_a_second_run_replaces_and_gives_the_same_bytes(study, tmp_path, prepared, no_report):
    output = tmp_path / "out"
    expected = {name: data for name, data in contents(prepared).items() if name[-5:] != ".html"}
    for _ in range(2):
        assert main(["prepare", str(study), str(output), "--no-registration"]) == 0
        assert contents(output) == expected
        # What a run that was killed leaves behind, and a file of the user's own, which stays.
        (output / ".sub-P02.partial" / "anat").mkdir(parents=True)
        (output / "sub-P02" / "mrsi" / "own.json").write_text("{}")
        expected["sub-P02/mrsi/own.json"] = b"{}"


def test_maps_of_full_resolution_are_what_train_reads(simulated, tmp_path, no_report):
    folder = tmp_path / "study" / "sub-01"
    for name, image in {"T1w": simulated["t1"], "FLAIR": simulated["flair"]}.items():
        (folder / "anat").mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(folder / "anat" / f"sub-01_{name}.nii.gz"))
    (folder / "mrsi").mkdir()
    for metabolite, image in simulated["high"].items():
        array = sitk.GetArrayFromImage(image)
        # A hole, a failed fit and a voxel outside the thresholds, in the middle of the brain.
        bound = np.full_like(array, 10)
        array[0, 32, 30:33] = (np.nan, -1, 5)
        bound[0, 32, 32] = 999
        for role, values in (("conc", array), ("crlb", bound)):
            one = sitk.GetImageFromArray(values)
            one.CopyInformation(image)
            sitk.WriteImage(one, str(folder / "mrsi" / f"sub-01_desc-{role}_{metabolite}.nii.gz"))
    arguments = ["prepare", str(tmp_path / "study"), str(tmp_path / "out"), "--no-registration", "--fill-holes"]
    assert main(arguments) == 0
    slices = read_patient(tmp_path / "out" / "sub-01", 0)
    assert slices.acquired.shape[2:] == (64, 64)
    assert not slices.valid[:, 0, 32, 30:33].any()
    # Ground truth is never filled.
    filtered = array_of(tmp_path / "out/sub-01/mrsi/sub-01_res-high_desc-filtered_NAA.nii.gz")
    assert not filtered[0, 32, 30:33].any()
    # ITK reads NaN in NIfTI as 0.
    acquired = array_of(tmp_path / "out/sub-01/mrsi/sub-01_res-high_desc-acquired_NAA.nii.gz")
    assert acquired[0, 32, 30:33].tolist() == [0, -1, 5]


def test_slices_that_are_not_selected_are_empty(simulated, tmp_path, no_report):
    shape = (2, 16, 16)
    snr = np.full(shape, 10)
    # One slice of bad spectra, but for a few.
    snr[0] = 1
    snr[0, 7:9, 7:9] = 10
    write_lcmodel_patient(tmp_path / "study" / "one", simulated, snr=snr)
    assert main(["prepare", str(tmp_path / "study"), str(tmp_path / "out"), "--no-registration"]) == 0
    folder = tmp_path / "out" / "sub-one" / "mrsi"
    about = json.loads((folder / "sub-one_res-n16_desc-filtered_NAA.json").read_text())
    assert about["SelectedSlices"] == [1]
    assert about["RejectedShares"]["SNR"] > 0.3
    for kind in ("filtered", "valid"):
        array = array_of(folder / f"sub-one_res-n16_desc-{kind}_NAA.nii.gz")
        assert not array[0].any()
        assert array[1].any()
    assert array_of(folder / "sub-one_res-n16_desc-acquired_NAA.nii.gz")[0].any()


def test_holes_are_filled_on_demand_and_counted(simulated, tmp_path, no_report):
    snr = np.full((2, 16, 16), 10)
    snr[1, 8, 8] = 1
    write_lcmodel_patient(tmp_path / "study" / "one", simulated, snr=snr)
    name = "out/sub-one/mrsi/sub-one_res-n16_desc-{}_NAA"
    found = {}
    for options in ([], ["--fill-holes"]):
        arguments = ["prepare", str(tmp_path / "study"), str(tmp_path / "out"), "--no-registration", *options]
        assert main(arguments) == 0
        about = json.loads((tmp_path / f"{name.format('filtered')}.json").read_text())
        filtered = array_of(tmp_path / f"{name.format('filtered')}.nii.gz")
        found[bool(options)] = about["HolesFilled"], filtered
        assert array_of(tmp_path / f"{name.format('valid')}.nii.gz")[1, 8, 8] == 0
    assert found[False][0] == "no"
    assert found[False][1][1, 8, 8] == 0
    assert found[True][0] >= 1
    neighbours = np.delete(found[False][1][1, 7:10, 7:10].ravel(), 4)
    assert found[True][1][1, 8, 8] == pytest.approx(neighbours[neighbours > 0].mean(), rel=1e-5)


def test_one_bad_patient_stops_no_other(study, tmp_path, capsys, no_report):
    shutil.copytree(study / "P 02", tmp_path / "study" / "c")
    for name in ("a", "b", "d", "e"):
        shutil.copytree(study / "P 02", tmp_path / "study" / name)
    folder = tmp_path / "study"
    (folder / "a/anatomy/t2_flair.nrrd").unlink()
    (folder / "b/anatomy/T1 mprage.nii.gz").write_bytes(gzip.compress(b"no image"))
    (folder / "d/spectra/scan.SPAR").write_text(spar_text(16, 2, si_ap_off_angulation=12))
    shutil.copyfile(folder / "e/anatomy/T1 mprage.nii.gz", folder / "e/anatomy/T1 again.nii.gz")
    (folder / "notes").mkdir()
    assert main(["prepare", str(folder), str(tmp_path / "out"), "--no-registration"]) == 1
    output = capsys.readouterr().out
    assert "1 of 5 patients prepared" in output
    reasons = dict(line.removeprefix("Not prepared: ").split(": ", 1) for line in output.splitlines()[-4:])
    assert "There is no FLAIR" in reasons["a"]
    assert "can't be read as an image" in reasons["b"]
    assert "tilted slices" in reasons["d"]
    assert "There are 2 of T1" in reasons["e"]
    assert [path.name for path in sorted((tmp_path / "out").iterdir()) if path.is_dir()] == ["sub-c"]


def test_a_failure_keeps_the_earlier_version(study, tmp_path, capsys, monkeypatch, no_report):
    shutil.copytree(study / "P 02", tmp_path / "study" / "c")
    arguments = ["prepare", str(tmp_path / "study"), str(tmp_path / "out"), "--no-registration"]
    assert main(arguments) == 0
    before = contents(tmp_path / "out")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepared_study, "_write_maps", full)
    assert main(arguments) == 1
    assert contents(tmp_path / "out") == before
    assert "No space left on device" in capsys.readouterr().out
    assert not list((tmp_path / "out").glob(".*"))


def test_a_lone_patient_by_parts(study, tmp_path, prepared, no_report):
    folder = study / "P 02"
    parts = {"--lcmodel": "spectra/lcmodel", "--spar": "spectra/scan.SPAR", "--t1": "anatomy/T1 mprage.nii.gz"}
    parts |= {"--flair": "anatomy/t2_flair.nrrd"}
    words = [word for option, path in parts.items() for word in (option, str(folder / path))]
    assert main(["prepare", *words, "--patient", "P02", "--no-registration", str(tmp_path / "out")]) == 0
    name = "sub-P02/mrsi/sub-P02_res-n16_desc-filtered_NAA.nii.gz"
    assert (tmp_path / "out" / name).read_bytes() == (prepared / name).read_bytes()


def test_anatomy_is_moved_to_the_maps_space_by_its_header(patient, tmp_path, no_report):
    image, t1, flair = patient(size=(16, 16, 6))
    (tmp_path / "maps").mkdir()
    sitk.WriteImage(image, str(tmp_path / "maps" / "NAA.nii.gz"))
    sitk.WriteImage(t1, str(tmp_path / "scout.nii.gz"))
    moved = {"t1": (t1, (9.0, -4.0, 6.0)), "flair": (flair, (2.0, 5.0, -3.0))}
    for name, (one, shift) in moved.items():
        shifted = sitk.Image(one)
        shifted.SetOrigin([a + b for a, b in zip(one.GetOrigin(), shift, strict=True)])
        sitk.WriteImage(shifted, str(tmp_path / f"{name}.nii.gz"))
    parts = {"maps": "maps", "t1": "t1.nii.gz", "flair": "flair.nii.gz", "map-anatomy": "scout.nii.gz"}
    words = [word for name, path in parts.items() for word in (f"--{name}", str(tmp_path / path))]
    assert main(["prepare", *words, "--patient", "1", str(tmp_path / "out")]) == 0
    folder = tmp_path / "out" / "sub-1" / "anat"
    for name, one in (("T1w", t1), ("FLAIR", flair), ("mask", t1)):
        placed = sitk.ReadImage(str(folder / f"sub-1_space-mrsi_desc-brain_{name}.nii.gz"))
        middle = [count / 2 for count in one.GetSize()]
        there, wanted = (i.TransformContinuousIndexToPhysicalPoint(middle) for i in (placed, one))
        assert np.linalg.norm(np.subtract(there, wanted)) < 1.5
        assert placed.GetSize() == one.GetSize()
    about = json.loads((folder / "sub-1_space-mrsi_desc-brain_T1w.json").read_text())
    assert about["Registration"].startswith("rigid, T1 to map")
    assert about["RegistrationTranslation_mm"] == pytest.approx(np.linalg.norm(moved["t1"][1]), abs=1.5)
    assert about["Sources"]["map anatomy"].endswith("scout.nii.gz")


def test_each_patient_has_a_quality_report(prepared):
    for bids_path in BIDS_PATHS.values():
        page = (prepared / f"{bids_path}.html").read_text(encoding="utf-8")
        assert all(metabolite in page for metabolite in LCMODEL_NAMES)
        assert "data:image/png;base64," in page


def test_a_report_that_can_not_be_written_is_no_success(study, prepared, tmp_path, capsys):
    shutil.copytree(study / "P 02", tmp_path / "study" / "c")
    (tmp_path / "out" / "sub-c.html").mkdir(parents=True)
    shutil.copy(prepared / "dataset_description.json", tmp_path / "out")
    assert main(["prepare", str(tmp_path / "study"), str(tmp_path / "out"), "--no-registration"]) == 1
    output = capsys.readouterr().out
    assert "1 of 1 patients prepared" in output
    assert "Failed: c is prepared, but there is no quality report: " in output


def test_images_that_can_not_be_registered_are_shown(patient, tmp_path, capsys):
    image, t1, flair = patient(size=(16, 16, 6))
    (tmp_path / "maps").mkdir()
    sitk.WriteImage(image, str(tmp_path / "maps" / "NAA.nii.gz"))
    sitk.WriteImage(t1, str(tmp_path / "t1.nii.gz"))
    # A sliver of another place of the head.
    sitk.WriteImage(flair[:, :, 30:34], str(tmp_path / "flair.nii.gz"))
    parts = {"maps": "maps", "t1": "t1.nii.gz", "flair": "flair.nii.gz"}
    words = [word for name, path in parts.items() for word in (f"--{name}", str(tmp_path / path))]
    assert main(["prepare", *words, "--patient", "1", str(tmp_path / "out")]) == 1
    assert "can't be registered" in capsys.readouterr().out
    assert not (tmp_path / "out" / "sub-1").exists()
    assert "Not prepared" in (tmp_path / "out" / "sub-1.html").read_text(encoding="utf-8")


def test_unusable_arguments_end_with_status_2(study, tmp_path, capsys):
    out = str(tmp_path / "out")
    for arguments, message in (
        ([str(study)], "there are 1 folders"),
        ([str(study), out, "--snr", "-1"], "no threshold"),
        ([str(study), out, "--slice-share", "3"], "A share of 3"),
        ([str(study), str(study)], "holds other files than a prepared study"),
        ([str(tmp_path / "nowhere"), out], "does not exist"),
        ([str(study), str(tmp_path / "a" / "b")], "does not exist"),
        ([out, "--t1", "T1.nii.gz"], "either --lcmodel or --maps"),
    ):
        assert main(["prepare", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_another_programs_folder_is_not_written_into(study, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="holds other files than a prepared study"):
        prepared_study.open_prepared_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


# Finding the parts


def test_parts_are_found_by_name_and_content(study):
    parts = {one.name: one for one in find_parts(study)}
    assert list(parts) == sorted(BIDS_PATHS)
    one = parts["P 02"]
    assert [path.relative_to(study / "P 02").as_posix() for path in (*one.lcmodel, *one.spar, *one.t1, *one.flair)] == [
        "spectra/lcmodel",
        "spectra/scan.SPAR",
        "anatomy/T1 mprage.nii.gz",
        "anatomy/t2_flair.nrrd",
    ]
    assert {one.name: one.bids_path for one in parts.values()} == BIDS_PATHS


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_sessions_masks_maps_and_what_is_passed_over(tmp_path):
    touch(
        tmp_path / "sub-01" / "ses-2",
        *("anat/sub-01_T1w.nii.gz", "anat/sub-01_FLAIR.nii.gz", "anat/brain_mask.nii.gz", "anat/tumour_mask.nii.gz"),
        *("fit/concs/raw/NAA.nii.gz", "fit/concs/internal/NAA.nii.gz", "fit/uncertainties/NAA_sd.nii.gz"),
        *("fit/qc/NAA_snr.nii.gz", "fit/fit/baseline.nii.gz", "mrsi/NAA_superres.nii.gz", ".hidden/NAA.nii.gz"),
    )
    touch(tmp_path / "sub-01" / "ses-1", "T1.nii", "T1_brain.nii", "FLAIR.nii")
    touch(tmp_path / "derivatives", "T1.nii")
    touch(tmp_path / "empty", "notes.txt")
    first, second = find_parts(tmp_path)
    assert (first.name, first.bids_path) == ("sub-01/ses-1", "sub-01/ses-1")
    assert first.single("T1").name == "T1_brain.nii"
    found = [path.relative_to(tmp_path / "sub-01/ses-2").as_posix() for path in second.maps]
    assert found == ["fit/concs/raw/NAA.nii.gz", "fit/qc/NAA_snr.nii.gz", "fit/uncertainties/NAA_sd.nii.gz"]
    assert [path.name for path in second.mask] == ["brain_mask.nii.gz"]


def test_the_study_may_be_one_patient(tmp_path):
    touch(tmp_path / "lone", "anat/T1.nii", "anat/FLAIR.nii", "mrsi/NAA.nii")
    (one,) = find_parts(tmp_path / "lone")
    assert (one.name, one.bids_path) == ("lone", "sub-lone")
    assert [path.name for path in (*one.t1, *one.flair, *one.maps)] == ["T1.nii", "FLAIR.nii", "NAA.nii"]


def test_links_in_circles_and_the_output_within_the_study(tmp_path):
    touch(tmp_path / "p", "T1.nii", "FLAIR.nii", "deep/NAA.nii")
    (tmp_path / "p" / "deep" / "again").symlink_to(tmp_path / "p", target_is_directory=True)
    (tmp_path / "p" / "deep" / "nowhere").symlink_to(tmp_path / "gone")
    touch(tmp_path / "out", "sub-p/T1.nii")
    (one,) = find_parts(tmp_path, tmp_path / "out")
    assert [path.name for path in (*one.t1, *one.maps)] == ["T1.nii", "NAA.nii"]


def test_a_folder_that_can_not_be_read_fails_its_patient(tmp_path, monkeypatch):
    touch(tmp_path / "p", "T1.nii", "FLAIR.nii", "closed/NAA.nii")
    touch(tmp_path / "q", "T1.nii")
    listing = type(tmp_path).iterdir

    def closed(self):
        if self.name == "closed":
            raise PermissionError(13, os.strerror(13))
        return listing(self)

    monkeypatch.setattr(type(tmp_path), "iterdir", closed)
    first, second = find_parts(tmp_path)
    assert "closed' can't be read (Permission denied)" in first.problem
    assert not second.problem


def test_a_study_without_patients_is_refused(tmp_path):
    touch(tmp_path / "p", "notes.txt")
    with pytest.raises(InputError, match="holds no patients"):
        find_parts(tmp_path)
