"""A study through one function: what is found, what is written, what is redone, and what fails alone."""

import json
import shutil
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.batch import BatchRequest, find_patients, run_batch
from inference_core.batch import outputs as batch_outputs
from inference_core.errors import InputError, InputWarning
from inference_core.imaging.reading import read_image
from inference_core.inference.super_resolver import SuperResolver
from inference_core.networks.weights_io import DEFAULT_WEIGHTS
from inference_core.study.patient_files import PatientFiles

SAMPLE = Path(__file__).parents[3] / "Resources" / "SamplePatient"


@pytest.fixture(scope="module")
def resolver():
    return SuperResolver.load(device="cpu")


@pytest.fixture(scope="module")
def thin_sample(tmp_path_factory):
    """The bundled patient's NAA and tCho at n = 16 and 20, each cut to one slice."""
    folder = tmp_path_factory.mktemp("sample") / "SamplePatient"
    shutil.copytree(SAMPLE / "anat", folder / "anat")
    (folder / "mrsi").mkdir()
    for path in SAMPLE.glob("mrsi/*.nii.gz"):
        if "_res-high_" in path.name or ("n24" not in path.name and path.name.endswith(("NAA.nii.gz", "tCho.nii.gz"))):
            sitk.WriteImage(sitk.ReadImage(str(path))[:, :, 2:3], str(folder / "mrsi" / path.name))
    return folder


@pytest.fixture
def write_patient(patient):
    """Writes a small simulated patient's images under the names given."""

    def write(folder, maps=("tCho.nii.gz",), t1=("T1.nii.gz",), flair=("FLAIR.nii.gz",)):
        images = patient(size=(16, 16, 1))
        for names, image in zip((maps, t1, flair), images, strict=True):
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                sitk.WriteImage(image, str(folder / name))
        return folder

    return write


def statuses(rows):
    return [row.status for row in rows]


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".locks" not in p.parts
    }


def test_the_sample_patient_has_each_map_done_at_each_sharpness(thin_sample, resolver, tmp_path):
    calls = []
    rows = run_batch(
        BatchRequest(thin_sample, tmp_path / "out", sharpness=[0, 0.02]),
        resolver=resolver,
        progress=lambda *call: calls.append(call),
    )
    wanted = {(m, s, n) for m in ("NAA", "tCho") for s in (0.0, 0.02) for n in (16, 20)}
    assert {(row.metabolite, row.sharpness, row.n) for row in rows} == wanted
    assert statuses(rows) == ["done"] * 8
    assert calls == [(index + 1, 8, row) for index, row in enumerate(rows)]
    assert all(row.patient == "sub-5014" and row.seconds > 0 and not row.message for row in rows)
    stem = "sub-5014/mrsi/sub-5014_res-n16_desc-superres_lambda-0p02_tCho"
    assert str(tmp_path / "out" / f"{stem}.nii.gz") in [row.output for row in rows]
    # The same as without a batch.
    low, t1, flair = (
        read_image(next(thin_sample.glob(pattern)))
        for pattern in ("mrsi/*n16*tCho.nii.gz", "anat/*T1w.nii.gz", "anat/*FLAIR.nii.gz")
    )
    alone, written = (
        resolver(low, t1, flair, "tCho", 0.02),
        sitk.ReadImage(str(tmp_path / "out" / f"{stem}.nii.gz")),
    )
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(alone))
    np.testing.assert_allclose(written.GetOrigin(), alone.GetOrigin(), atol=1e-3)
    sidecar = json.loads((tmp_path / "out" / f"{stem}.json").read_text())
    assert sidecar["Sources"]["map"] == "mrsi/sub-5014_res-n16_desc-acquired_tCho.nii.gz"
    assert sidecar["WeightsSHA256"] == resolver.weights.sha256
    assert (sidecar["Metabolite"], sidecar["Sharpness"], sidecar["InputResolution"]) == ("tCho", 0.02, 16)
    table = [line.split("\t") for line in (tmp_path / "out" / "batch.tsv").read_text().splitlines()]
    assert table[0] == ["patient", "metabolite", "sharpness", "n", "status", "output", "message", "self_check"]
    assert len(table) == 9
    assert f"{stem}.nii.gz" in [line[5] for line in table]
    description = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "MRSISuperRes"


def test_the_bundled_patient_is_found():
    (patient,) = find_patients(SAMPLE)
    assert (patient.name, patient.bids_path, len(patient.maps)) == ("sub-5014", "sub-5014", 21)
    assert not [path for path, _ in patient.maps if "res-high" in path.name]


def test_a_second_run_does_only_what_is_missing(write_patient, resolver, tmp_path):
    study = write_patient(tmp_path / "study" / "one", maps=("tCho.nii.gz", "NAA.nii.gz")).parent
    # Within the study, as many keep their results.
    out = study / "results"
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["done"] * 2
    before = contents(out)
    again = run_batch(BatchRequest(study, out), resolver=resolver)
    assert statuses(again) == ["skipped"] * 2
    assert [row.n for row in again] == [16, 16]
    after = contents(out)
    assert {name for name in before if before[name] != after[name]} <= {"batch.tsv"}
    assert before.keys() == after.keys()

    missing = Path(again[1].output)
    missing.unlink()
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["skipped", "done"]
    missing.write_bytes(missing.read_bytes()[:-100])
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["skipped", "done"]
    missing.with_name(missing.name.replace(".nii.gz", ".json")).write_text("{")
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["skipped", "done"]
    assert {k: v for k, v in contents(out).items() if k != "batch.tsv"} == {
        k: v for k, v in before.items() if k != "batch.tsv"
    }
    assert statuses(run_batch(BatchRequest(study, out, sharpness=[0, 0.1]), resolver=resolver)).count("skipped") == 2
    assert statuses(run_batch(BatchRequest(study, study / "elsewhere"), resolver=resolver)) == ["done"] * 2
    write_patient(study / "two")
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["skipped", "skipped", "done"]


def test_what_a_result_depends_on_makes_it_redone(write_patient, resolver, tmp_path, monkeypatch):
    study = write_patient(tmp_path / "study" / "one", maps=("tCho.nii.gz", "NAA.mhd"))
    out = tmp_path / "out"
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["done"] * 2
    image = sitk.ReadImage(str(study / "tCho.nii.gz"))
    sitk.WriteImage(image * 2, str(study / "tCho.nii.gz"))
    assert {r.metabolite: r.status for r in run_batch(BatchRequest(study, out), resolver=resolver)} == {
        "NAA": "skipped",
        "tCho": "done",
    }
    # The header stays as it is; only the file of values beside it changes.
    data = next(p for p in study.iterdir() if p.name.startswith("NAA.") and p.suffix != ".mhd")
    sitk.WriteImage(sitk.ReadImage(str(study / "NAA.mhd")) * 3, str(study / "NAA.mhd"))
    assert data.is_file()
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["done", "skipped"]
    sitk.WriteImage(sitk.ReadImage(str(study / "FLAIR.nii.gz")) + 0.5, str(study / "FLAIR.nii.gz"))
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["done"] * 2
    monkeypatch.setattr("inference_core.batch.patient.__version__", "9.9")
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["done"] * 2
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["skipped"] * 2
    other = SuperResolver.load(device="cpu")
    object.__setattr__(other.weights, "sha256", "0" * 64)
    assert statuses(run_batch(BatchRequest(study, out), resolver=other)) == ["done"] * 2


def test_any_layout_and_format_is_found(write_patient, tmp_path):
    study = tmp_path / "study"
    write_patient(
        study / "sub-01",
        maps=("mrsi/sub-01_NAA.nii", "mrsi/sub-01_desc-valid_NAA.nii", "mrsi/sub-01_NAA_CRLB.nii"),
        t1=("anat/sub-01_T1w.nii", "anat/sub-01_ce-gadolinium_T1w.nii"),
        flair=("anat/sub-01_FLAIR.nii",),
    )
    write_patient(study / "sub-02" / "ses-1", ("mrsi/sub-02_ses-1_res-n16_Glu.nii.gz",), ("anat/x_T1w.nii.gz",))
    write_patient(study / "sub-02" / "ses-2", ("mrsi/Glu.nii.gz",), ("anat/x_T1w.nii.gz",), ("anat/x_FLAIR.nii.gz",))
    write_patient(
        study / "groups" / "Zoë K", ("GPC+PCh_conc.nrrd", "Cho_over_NAA.nrrd"), ("mprage.mha",), ("T2-FLAIR.nii",)
    )
    write_patient(study / "derivatives" / "sub-01")
    write_patient(study / ".hidden" / "sub-01")
    (study / "notes").mkdir()
    (study / "notes" / "NAA.txt").write_text("no image")
    (study / "loop").symlink_to(study, target_is_directory=True)
    found = {patient.name: patient for patient in find_patients(study)}
    assert list(found) == ["groups/Zoë K", "sub-01", "sub-02/ses-1", "sub-02/ses-2"]
    assert [(path.name, name) for path, name in found["sub-01"].maps] == [("sub-01_NAA.nii", "NAA")]
    assert found["sub-01"].single("T1").name == "sub-01_T1w.nii"
    zoe = found["groups/Zoë K"]
    assert [(path.name, name) for path, name in zoe.maps] == [("GPC+PCh_conc.nrrd", "tCho")]
    assert (zoe.single("T1").name, zoe.single("FLAIR").name) == ("mprage.mha", "T2-FLAIR.nii")
    names = {
        name: [batch_outputs.output_name(one, path, metabolite, 0.025) for path, metabolite in one.maps]
        for name, one in found.items()
    }
    assert names == {
        "groups/Zoë K": [
            "sub-groupsZoëK/mrsi/sub-groupsZoëK_map-GPCPChconc_desc-superres_lambda-0p025_tCho.nii.gz",
        ],
        "sub-01": ["sub-01/mrsi/sub-01_desc-superres_lambda-0p025_NAA.nii.gz"],
        "sub-02/ses-1": ["sub-02/ses-1/mrsi/sub-02_ses-1_res-n16_desc-superres_lambda-0p025_Glu.nii.gz"],
        "sub-02/ses-2": ["sub-02/ses-2/mrsi/sub-02_ses-2_desc-superres_lambda-0p025_Glu.nii.gz"],
    }


@pytest.mark.parametrize(
    ("name", "sharpness", "expected"),
    [
        ("sub-01_res-n20_desc-acquired_NAA.nii.gz", 0.0, "sub-a_res-n20_desc-superres_lambda-0_NAA"),
        ("sub-01_run-2_desc-denoised_NAA.nii.gz", 0.1, "sub-a_run-2_desc-denoisedSuperres_lambda-0p1_NAA"),
        ("NAA+NAAG.nii", 0.1, "sub-a_map-NAANAAG_desc-superres_lambda-0p1_NAA"),
        ("NAA-NAAG.nii", 1e-5, "sub-a_map-NAANAAG_desc-superres_lambda-0p00001_NAA"),
        ("K01 NAA map.nii", 0.01, "sub-a_map-K01NAAmap_desc-superres_lambda-0p01_NAA"),
        ("NAA.nrrd", 0.01, "sub-a_desc-superres_lambda-0p01_NAA"),
    ],
)
def test_results_are_named_after_their_maps(name, sharpness, expected, tmp_path):
    patient = PatientFiles("a", tmp_path, "sub-a", (), (), ())
    named = batch_outputs.output_name(patient, tmp_path / name, "NAA", sharpness)
    assert named == f"sub-a/mrsi/{expected}.nii.gz"


def test_one_patients_failure_does_not_stop_the_others(write_patient, resolver, tmp_path, monkeypatch):
    study = tmp_path / "study"
    write_patient(study / "a no FLAIR", maps=("tCho.nii.gz", "NAA.nii.gz"), flair=())
    write_patient(study / "b two T1s", t1=("T1.nii.gz", "MPRAGE.nii"))
    write_patient(study / "c broken T1")
    (study / "c broken T1" / "T1.nii.gz").write_bytes(b"no image")
    write_patient(study / "d broken map", maps=("tCho.nii.gz", "NAA.nii.gz"))
    (study / "d broken map" / "NAA.nii.gz").write_bytes(b"no image")
    write_patient(study / "e no map", maps=())
    write_patient(study / "f twice", maps=("NAA.nii", "NAA.nrrd", "tCho.nii"))
    write_patient(study / "g boom", maps=("Glu.nii",))
    write_patient(study / "h-h")
    write_patient(study / "hh")
    write_patient(study / "z fine", maps=("Ins.nii",))
    whole = resolver.super_resolve

    def explode(prepared, metabolite, *rest, **options):
        if metabolite == "Glu":
            raise ZeroDivisionError("oh\nno")
        return whole(prepared, metabolite, *rest, **options)

    monkeypatch.setattr(resolver, "super_resolve", explode)
    rows = run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    by_place = {(row.patient[0], row.metabolite, row.status): row for row in rows}
    failed = {key[:2]: row.message for key, row in by_place.items() if row.status == "failed"}
    expected = {
        ("a", "tCho"): "Patient 'a no FLAIR' has no FLAIR in",
        ("a", "NAA"): "Patient 'a no FLAIR' has no FLAIR in",
        ("b", "tCho"): "has 2 T1 images ('MPRAGE.nii', 'T1.nii.gz'): leave one.",
        ("c", "tCho"): "T1.nii.gz' can't be read as an image",
        ("d", "NAA"): "NAA.nii.gz' can't be read as an image",
        ("e", ""): "Patient 'e no map' has no metabolite map",
        ("f", "NAA"): "NAA.nrrd' would have one name in the output folder: rename or remove one.",
        ("g", "Glu"): "Unexpected ZeroDivisionError: oh no.",
        ("h", "tCho"): "would have one name in the output folder: rename or remove one.",
    }
    assert failed.keys() == expected.keys()
    for key, sentence in expected.items():
        assert sentence in failed[key]
        assert "\n" not in failed[key]
    assert {(row.patient[0], row.metabolite) for row in rows if row.status == "done"} == {
        ("d", "tCho"),
        ("f", "tCho"),
        ("z", "Ins"),
    }
    assert all((row.output == "") == (row.status == "failed") for row in rows)
    lines = (tmp_path / "out" / "batch.tsv").read_text().splitlines()
    assert len(lines) == len(rows) + 1
    assert {line.count("\t") for line in lines} == {7}
    assert "e no map\t\tn/a\tn/a\tfailed" in "\n".join(lines)


def test_a_result_that_is_no_longer_made_is_mentioned(write_patient, resolver, tmp_path):
    study = write_patient(tmp_path / "one")
    run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    (study / "FLAIR.nii.gz").unlink()
    (row,) = run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    assert row.status == "failed"
    assert row.message.endswith("An earlier result is still there.")


def test_a_folder_that_can_not_be_read_fails_alone(write_patient, resolver, tmp_path, monkeypatch):
    study = tmp_path / "study"
    locked, _ = write_patient(study / "locked"), write_patient(study / "open")
    listed = Path.iterdir

    def iterdir(self):
        if self == locked:
            raise PermissionError(13, "Permission denied")
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    rows = run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)
    assert [(row.patient, row.status) for row in rows] == [("locked", "failed"), ("open", "done")]
    assert "can't be read (Permission denied): check its permissions." in rows[0].message


def test_warnings_are_in_the_row_also_when_skipped(patient, write_patient, resolver, tmp_path):
    study = write_patient(tmp_path / "one", maps=())
    sitk.WriteImage(patient(size=(6, 6, 1), spacing=(32.0, 32.0, 10.0))[0], str(study / "NAA.nii"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        rows = [run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)[0] for _ in range(2)]
    assert statuses(rows) == ["done", "skipped"]
    assert "outside the trained range" in rows[0].message
    assert rows[0].message == rows[1].message


def test_inputs_are_prepared_once_a_map_and_mri_read_once_a_patient(write_patient, resolver, tmp_path, monkeypatch):
    from inference_core.batch import patient_maps as batch_maps

    study = write_patient(tmp_path / "one", maps=("tCho.nii", "NAA.nii"))
    read, prepared = [], []
    read_image, prepare = batch_maps.read_image, resolver.prepare
    monkeypatch.setattr(
        batch_maps, "read_image", lambda path, role, **how: read.append(role) or read_image(path, role, **how)
    )
    monkeypatch.setattr(resolver, "prepare", lambda *images: prepared.append(images) or prepare(*images))
    run_batch(BatchRequest(study, tmp_path / "out", sharpness=(0, 0.02, 0.05)), resolver=resolver)
    assert sorted(read) == ["FLAIR", "T1", "map", "map"]
    assert len(prepared) == 2


def test_cancelling_keeps_what_was_done(patient, write_patient, resolver, tmp_path):
    study = write_patient(tmp_path / "study" / "a", maps=("NAA.nii",)).parent
    write_patient(study / "b", maps=())
    sitk.WriteImage(patient(size=(16, 16, 9))[0], str(study / "b" / "NAA.nii"))
    done = []
    asked = []

    def cancelled():
        asked.append(len(done))
        return asked.count(1) == 3

    rows = run_batch(
        BatchRequest(study, tmp_path / "out"),
        resolver=resolver,
        progress=lambda *call: done.append(call),
        cancelled=cancelled,
    )
    # Asked before the second map, before its network, and after its first batch of slices.
    assert asked.count(1) == 3
    assert statuses(rows) == ["done"]
    assert len((tmp_path / "out" / "batch.tsv").read_text().splitlines()) == 2
    assert [path.name[:5] for path in (tmp_path / "out").rglob("*.nii.gz")] == ["sub-a"]
    assert statuses(run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)) == ["skipped", "done"]
    assert run_batch(BatchRequest(study, tmp_path / "new"), resolver=resolver, cancelled=lambda: True) == []


def test_bad_arguments_are_refused_before_anything_is_written(write_patient, resolver, tmp_path):
    study = write_patient(tmp_path / "study" / "sub-01").parent
    empty = tmp_path / "empty"
    empty.mkdir()
    before = contents(tmp_path)
    for arguments, options, sentence in (
        ((empty, tmp_path / "out"), {}, "holds no patients: expected are folders such as sub-0001"),
        ((tmp_path / "none", tmp_path / "out"), {}, "does not exist or is no folder"),
        ((study, study), {}, "is the study's folder or a patient's: choose another"),
        ((study, study / "sub-01" / ".." / "sub-01"), {}, "is the study's folder or a patient's: choose another"),
        ((study / "sub-01", study), {}, "results would lie among the files of patient 'sub-01': choose another"),
        ((study, tmp_path / "missing" / "out"), {}, "does not exist: create it first"),
        ((study, tmp_path / "out"), {"sharpness": [0, 0.2]}, "Sharpness 0.2 is outside"),
        ((study, tmp_path / "out"), {"sharpness": []}, "no sharpness"),
    ):
        with pytest.raises(InputError, match=sentence):
            run_batch(BatchRequest(*arguments, **options), resolver=resolver)
    assert contents(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "study"]


def test_a_single_sharpness_may_be_a_number(write_patient, resolver, tmp_path):
    study = write_patient(tmp_path / "one")
    (row,) = run_batch(BatchRequest(study, tmp_path / "out", sharpness=0.03), resolver=resolver)
    assert (row.sharpness, row.status) == (0.03, "done")


def test_another_programs_description_stays(write_patient, resolver, tmp_path):
    study, out = write_patient(tmp_path / "study" / "one").parent, tmp_path / "study" / "out"
    out.mkdir()
    (out / "dataset_description.json").write_text('{"Name": "mine"}')
    run_batch(BatchRequest(study, out), resolver=resolver)
    assert (out / "dataset_description.json").read_text() == '{"Name": "mine"}'
    # Results are known by their names then.
    assert statuses(run_batch(BatchRequest(study, out), resolver=resolver)) == ["skipped"]


def test_a_table_that_can_not_be_written_is_an_input_error(write_patient, resolver, tmp_path):
    study = write_patient(tmp_path / "study" / "one")
    (tmp_path / "out" / "batch.tsv").mkdir(parents=True)
    with pytest.raises(InputError, match=r"batch\.tsv' can't be written"):
        run_batch(BatchRequest(study, tmp_path / "out"), resolver=resolver)


def test_without_a_resolver_the_default_weights_are_used(write_patient, resolver, tmp_path, monkeypatch):
    study = write_patient(tmp_path / "one")
    monkeypatch.setattr(SuperResolver, "load", classmethod(lambda cls: resolver))
    (row,) = run_batch(BatchRequest(study, tmp_path / "out"))
    assert row.status == "done"


def test_the_module_imports_without_torch():
    code = "import sys, inference_core.batch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ratios_and_uncertainties_lie_beside_the_results(write_patient, resolver, tmp_path):
    study = write_patient(tmp_path / "study" / "one", maps=("tCho.nii", "NAA.nii")).parent
    options = {"ratios": ["tCho/NAA", "Gln/Glu"], "uncertainty": True}
    rows = run_batch(BatchRequest(study, tmp_path / "out", **options), resolver=resolver)
    assert [(row.metabolite, row.status) for row in rows] == [
        ("Gln/Glu", "failed"),
        ("NAA", "done"),
        ("tCho", "done"),
        ("tCho/NAA", "done"),
    ]
    assert "needs a map of Gln and Glu" in rows[0].message
    names = {Path(name).name for name in contents(tmp_path / "out") if name.endswith(".nii.gz")}
    kinds = ("superres", "superresUncertainty")
    wanted = {
        f"sub-one_desc-{kind}_lambda-0_{what}.nii.gz" for kind in kinds for what in ("NAA", "tCho", "tChoOverNAA")
    }
    assert names == wanted
    images = {name: sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out/sub-one/mrsi" / name))) for name in names}
    # Both maps are the same.
    ratio = images["sub-one_desc-superres_lambda-0_tChoOverNAA.nii.gz"]
    assert np.median(ratio[ratio > 0]) == pytest.approx(1, abs=0.2)
    error = images["sub-one_desc-superresUncertainty_lambda-0_tChoOverNAA.nii.gz"]
    assert ((error > 0) == (ratio > 0)).all()
    sidecar = json.loads((tmp_path / "out/sub-one/mrsi/sub-one_desc-superres_lambda-0_tChoOverNAA.json").read_text())
    assert sidecar["Sources"]["map of NAA"] == "one/NAA.nii"
    before = contents(tmp_path / "out/sub-one")
    assert statuses(run_batch(BatchRequest(study, tmp_path / "out", **options), resolver=resolver)) == [
        "failed",
        "skipped",
        "skipped",
        "skipped",
    ]
    assert contents(tmp_path / "out/sub-one") == before
    # Another map makes its result, and the ratio, anew; a lost uncertainty only its own.
    image = sitk.ReadImage(str(study / "one" / "NAA.nii"))
    sitk.WriteImage(image * 2, str(study / "one" / "NAA.nii"))
    (tmp_path / "out/sub-one/mrsi/sub-one_desc-superresUncertainty_lambda-0_tCho.nii.gz").unlink()
    again = run_batch(BatchRequest(study, tmp_path / "out", **{**options, "ratios": ()}), resolver=resolver)
    assert [(row.metabolite, row.status) for row in again] == [
        ("NAA", "done"),
        ("tCho", "done"),
        ("tCho/NAA", "done"),
    ]
    # None of it is taken for a patient's input.
    with pytest.raises(InputError, match="no patient"):
        find_patients(tmp_path / "out")


def test_a_ratio_is_made_of_one_examinations_maps(thin_sample, resolver, tmp_path):
    rows = run_batch(BatchRequest(thin_sample, tmp_path / "out", ratios=[], reference="brain"), resolver=resolver)
    ratios = [row for row in rows if "/" in row.metabolite]
    assert {(row.n, row.status) for row in ratios} == {(16, "done"), (20, "done")}
    assert len(ratios) == 2
    values = sitk.GetArrayFromImage(sitk.ReadImage(ratios[0].output))
    assert ratios[0].output.endswith("_tChoOverNAARelativeToBrain.nii.gz")
    # The level is that of the brain, before the uncertainty masks some of it.
    assert np.median(values[values > 0]) == pytest.approx(1, rel=0.01)


def write_slope(study):
    """NAA, more on one side than on the other, and a region on that side."""
    image = sitk.ReadImage(str(study / "NAA.nii"))
    values = sitk.GetArrayFromImage(image)
    region = np.zeros_like(values, dtype=np.uint8)
    region[..., 3:7] = values[..., 3:7] > 0
    for name, array in (("NAA.nii", values * np.linspace(0.4, 1, 16, dtype=np.float32)), ("tissue_dseg.nii", region)):
        written = sitk.GetImageFromArray(array)
        written.CopyInformation(image)
        sitk.WriteImage(written, str(study / name))


def test_ratios_in_multiples_of_each_patients_normal_tissue(write_patient, resolver, tmp_path):
    one = write_patient(tmp_path / "study" / "one", maps=("tCho.nii", "NAA.nii"))
    write_slope(one)
    write_patient(tmp_path / "study" / "two", maps=("tCho.nii", "NAA.nii"))
    options = {"ratios": ["tCho/NAA"], "reference": "*_dseg.nii"}

    def ratios(out, **more):
        rows = run_batch(BatchRequest(tmp_path / "study", tmp_path / out, **options | more), resolver=resolver)
        return [row for row in rows if "/" in row.metabolite]

    def level(row):
        sidecar = json.loads(Path(row.output.replace(".nii.gz", ".json")).read_text())
        assert sidecar["Sources"]["reference"] == "one/tissue_dseg.nii"
        assert sidecar["Reference"].startswith("median in *_dseg.nii")
        values = sitk.GetArrayFromImage(sitk.ReadImage(row.output))
        return sidecar["ReferenceValue"], values

    found, missing = ratios("out")
    assert missing.status == "failed"
    assert "No reference '*_dseg.nii' is in" in missing.message
    assert [row.status for row in ratios("out")] == ["skipped", "failed"]
    here, values = level(found)
    other, mirrored = level(ratios("out", mirror=True)[0])
    # Less NAA, more of the ratio.
    assert here > 1.2 * other
    np.testing.assert_allclose(values * here, mirrored * other, rtol=1e-4)
    # Another region makes it anew; two leave open which.
    image = sitk.ReadImage(str(one / "tissue_dseg.nii"))
    sitk.WriteImage(sitk.BinaryErode(image, (1, 0, 0)), str(one / "tissue_dseg.nii"))
    assert ratios("out", mirror=True)[0].status == "done"
    sitk.WriteImage(image, str(one / "second_dseg.nii"))
    assert "is 2 files" in ratios("out")[0].message


def test_what_is_wrong_with_a_ratio_is_in_its_row(write_patient, resolver, tmp_path, monkeypatch):
    study = write_patient(tmp_path / "one", maps=("tCho.nii", "NAA.nii", "tNAA.nii"))
    rows = run_batch(BatchRequest(study, tmp_path / "out", ratios=["tCho/NAA"]), resolver=resolver)
    (ratio,) = (row for row in rows if "/" in row.metabolite)
    assert ratio.status == "failed"
    assert "has two maps of NAA" in ratio.message
    with pytest.raises(InputError, match="is no ratio"):
        run_batch(BatchRequest(study, tmp_path / "out", ratios=["NAA"]), resolver=resolver)
    (study / "tNAA.nii").unlink()
    monkeypatch.setattr("inference_core.terms.ratios._LEAST_UNCERTAINTIES", 1e6)
    rows = run_batch(BatchRequest(study, tmp_path / "out", ratios=["tCho/NAA"]), resolver=resolver)
    assert [(row.metabolite, row.status) for row in rows if row.status == "failed"] == [("tCho/NAA", "failed")]
    assert "NAA is zero throughout the brain" in rows[-1].message
    assert "tCho/NAA" in (tmp_path / "out" / "batch.tsv").read_text()


def test_weights_without_calibration_give_ratios_with_a_warning_and_no_uncertainty(write_patient, tmp_path):
    own = tmp_path / "own.safetensors"
    own.write_bytes(DEFAULT_WEIGHTS.read_bytes())
    resolver = SuperResolver.load(own, device="cpu")
    study = write_patient(tmp_path / "one", maps=("tCho.nii", "NAA.nii"))
    for status in ("done", "skipped"):
        rows = run_batch(
            BatchRequest(study, tmp_path / "out", ratios=["tCho/NAA"], self_check=False), resolver=resolver
        )
        assert statuses(rows) == [status] * 3
        assert "judged by its size alone" in rows[-1].message
        assert rows[0].message == rows[1].message == ""
    with pytest.raises(InputError, match="There is no calibration"):
        run_batch(BatchRequest(study, tmp_path / "out2", uncertainty=True), resolver=resolver)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub-1_desc-superres_lambda-0_NAA.nii.gz", "sub-1_desc-superresUncertainty_lambda-0_NAA.nii.gz"),
        ("sub-1_desc-xSuperres_lambda-0p1_NAA.nii.gz", "sub-1_desc-xSuperresUncertainty_lambda-0p1_NAA.nii.gz"),
    ],
)
def test_uncertainties_are_named_after_their_results(name, expected):
    assert batch_outputs.uncertainty_path(Path("mrsi") / name) == Path("mrsi") / expected


def test_ratios_of_two_examinations_do_not_take_each_others_place(write_patient, resolver, tmp_path):
    maps = [f"{entity}{name}.nii" for entity in ("", "desc-acquired_") for name in ("tCho", "NAA")]
    study = write_patient(tmp_path / "study" / "one", maps=maps[:1]).parent
    for name in maps[1:]:
        shutil.copy(study / "one" / maps[0], study / "one" / name)
    rows = [
        row
        for row in run_batch(BatchRequest(study, tmp_path / "out", ratios=[]), resolver=resolver)
        if "/" in row.metabolite
    ]
    assert statuses(rows) == ["failed", "failed"]
    assert all("would have one name in the output folder" in row.message for row in rows)


def test_two_places_of_an_image_are_said_of_each_result_made_with_it(write_patient, resolver, tmp_path):
    study = write_patient(tmp_path / "one", maps=("NAA.nii", "tCho.nii"))
    content = bytearray((study / "NAA.nii").read_bytes())
    # The sform's code, and its third row's offset, in mm.
    content[254:256] = (2).to_bytes(2, "little")
    (offset,) = struct.unpack_from("<f", content, 324)
    struct.pack_into("<f", content, 324, offset + 3)
    (study / "NAA.nii").write_bytes(content)
    request = BatchRequest(study, tmp_path / "out", self_check=False)
    rows = {row.metabolite: row for row in run_batch(request, resolver=resolver)}
    assert {name: row.status for name, row in rows.items()} == {"NAA": "done", "tCho": "done"}
    assert "The sform (code 2) and the qform (code 1) of the map '" in rows["NAA"].message
    assert "place it 3 mm apart: the sform was taken" in rows["NAA"].message
    assert "sform" not in rows["tCho"].message
    origins = [sitk.ReadImage(rows[name].output).GetOrigin() for name in ("NAA", "tCho")]
    np.testing.assert_allclose(np.subtract(*origins), (0, 0, 3), atol=1e-3)
