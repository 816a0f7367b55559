"""A patient's page: what it says, how it is turned, and the PDF."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.commands.cli import main
from inference_core.imaging.geometry import super_resolved_image
from inference_core.inference.patient_result import super_resolve_patient
from inference_core.inference.self_check import NoSelfCheck, SelfCheck
from inference_core.inference.super_resolver import SuperResolver
from inference_core.regions.table import region_rows
from inference_core.report import figures, pdf
from inference_core.report.colours import coloured, on_anatomy
from inference_core.report.markup import document, element
from inference_core.report.numbers import number, with_half_width
from inference_core.report.orientation import slice_view
from inference_core.report.report import write_patient_report
from inference_core.report.slices import shown_slices
from inference_core.report.source_notes import file_names
from inference_core.terms.conditions import METABOLITES
from inference_core.terms.quantity import Quantity
from inference_core.terms.ratios import STANDARD_RATIOS, Ratio

SAMPLE = Path(__file__).resolve().parents[3] / "Resources" / "SamplePatient"


@pytest.fixture(scope="module")
def resolver():
    return SuperResolver.load(device="cpu")


@pytest.fixture
def result(patient, resolver):
    low_resolution, t1, flair = patient(size=(16, 16, 3))
    return super_resolve_patient(resolver, {"tCho": low_resolution, "NAA": low_resolution * 2}, t1, flair, 0.05)


@pytest.fixture
def result_with_zero_naa(patient, resolver):
    """Ratios of NAA mean nothing."""
    low_resolution, t1, flair = patient(size=(16, 16, 3))
    maps, ratios = {"tCho": low_resolution, "NAA": low_resolution * 2}, [Ratio.parse("tCho/NAA")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inference_core.terms.ratios._LEAST_SHARE", 1e6)
        return super_resolve_patient(resolver, maps, t1, flair, ratios=ratios)


def arguments(tmp_path, **changed):
    patient = {
        "--maps": sorted(map(str, (SAMPLE / "mrsi").glob("*_res-n16_desc-acquired_[tN]*.nii.gz"))),
        "--t1": [str(path) for path in (SAMPLE / "anat").glob("*_T1w.nii.gz")],
        "--flair": [str(path) for path in (SAMPLE / "anat").glob("*_FLAIR.nii.gz")],
        "--labels": [str(path) for path in (SAMPLE / "mrsi").glob("*tumour_mask.nii.gz")],
        "--names": ["1=tumour & <rim>"],
        "--output": [str(tmp_path / "page.html")],
        "--device": ["cpu"],
    }
    return ["report", *(word for name, values in (patient | changed).items() for word in (name, *values))]


def test_the_page_says_all_that_a_reader_needs(tmp_path, capsys):
    assert main([*arguments(tmp_path, **{"--sharpness": ["0.05"]}), "--mirror"]) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for text in (
        "sub-5014",
        "Research use only, not for diagnosis.",
        "weights come from simulated patients",
        "This patient is simulated, too.",
        "λ = 0.05 is above 0.03",
        "tCho/NAA",
        "multi-conditional.safetensors",
        "16\u00a0×\u00a016",
        "tumour &amp; &lt;rim&gt;",
        "tumour &amp; &lt;rim&gt;, mirrored",
        "±",
    ):
        assert text in page, text
    # It needs nothing else, and runs nothing.
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:image/png;base64,)', page)
    # Each of three metabolites and ratios: as measured, on FLAIR, on T1, and its uncertainty.
    assert page.count("<svg") == page.count("<title>") - 1
    assert page.count("<svg") % 6 == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "page.html")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"--output": ["page.txt"]}, "does not end in .html"),
        ({"--output": ["missing/page.html"]}, "does not exist"),
        ({"--sharpness": ["nan"]}, "Sharpness nan is outside"),
        ({"--browser": ["no-such-browser"], "--pdf": ["page.pdf"]}, "The browser 'no-such-browser' does not exist"),
        ({"--ratios": ["Gln/Glu"]}, "needs a map of Gln and Glu"),
        ({"--sharpness": ["1"]}, "Sharpness 1.0 is outside"),
    ],
)
def test_what_is_unusable_ends_in_one_sentence(tmp_path, monkeypatch, capsys, changed, sentence):
    monkeypatch.chdir(tmp_path)
    assert main(arguments(tmp_path, **changed)) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error")]
    assert len(error) == 1
    assert sentence in error[0]
    assert not list(tmp_path.iterdir())


def write(path, result, resolver, **options):
    made = datetime(2026, 1, 2, 3, 4)
    return write_patient_report(path, result, resolver, "sub-<b>", {"T1": "a & b.nii"}, made=made, **options)


def test_names_are_escaped_and_the_same_input_gives_the_same_page(result, resolver, tmp_path):
    first, second = (write(tmp_path / name, result, resolver) for name in ("1.html", "2.html"))
    page = first.read_text(encoding="utf-8")
    assert "sub-&lt;b&gt;" in page
    assert "a &amp; b.nii" in page
    assert "2026-01-02 03:04" in page
    assert first.read_bytes() == second.read_bytes()


def test_a_ratio_that_means_nothing_is_warned_of(result_with_zero_naa, resolver, tmp_path):
    assert not result_with_zero_naa.ratios
    page = write(tmp_path / "page.html", result_with_zero_naa, resolver, warnings=["Look out."])
    text = page.read_text(encoding="utf-8")
    assert "means nothing anywhere" in text
    assert "Look out." in text


def test_a_self_check_is_a_number_and_no_warning(result, resolver, tmp_path):
    checked, other = result.metabolites
    found = SelfCheck(checked, 0.05, 16, 10, (0, 1), "matched", 0.82, 0.03, 0.8, 0.1, "its repetition", "about", ())
    checks = [found, NoSelfCheck(other, "A map of n = 8 can't be checked.")]
    page = write(tmp_path / "page.html", result, resolver, checks=checks).read_text(encoding="utf-8")
    assert 'class="warnings some"' not in page
    (row,) = re.findall(r"<tr><th>self-check</th>.*?</tr>", page, re.DOTALL)
    assert row.count("82 %") == row.count("%") == 1
    assert "zero-filling explains 0 %" in page
    assert page.count("A map of n = 8 can't be checked.") == 1
    assert "self-check" not in write(tmp_path / "other.html", result, resolver).read_text(encoding="utf-8")


def test_more_regions_than_there_is_room_for_go_on_another_sheet(result, resolver, tmp_path):
    mask = sitk.GetImageFromArray(result.brain.astype(np.uint8))
    mask.SetSpacing(result.grid.spacing)
    mask.SetOrigin(result.grid.origin)
    mask.SetDirection(result.grid.direction)
    regions = {f"region {index}": mask for index in range(5)}
    rows = region_rows(result, regions)
    page = write(tmp_path / "page.html", result, resolver, regions=regions, rows=rows).read_text(encoding="utf-8")
    assert page.count('class="sheet"') == 2
    assert page.index("region 4") > page.index("further regions")


@pytest.mark.parametrize(
    ("direction", "sides"),
    [
        # Rows and columns to the left and back, as scanners store axial slices.
        ((1, 0, 0, 0, 1, 0, 0, 0, 1), "RLAP"),
        ((-1, 0, 0, 0, -1, 0, 0, 0, 1), "RLAP"),
        ((0, 1, 0, 1, 0, 0, 0, 0, 1), "RLAP"),
        # Coronal: rows to the left, columns to the head.
        ((1, 0, 0, 0, 0, 1, 0, 1, 0), "RLSI"),
        # Sagittal: rows to the back.
        ((0, 0, 1, 1, 0, 0, 0, -1, 0), "APSI"),
    ],
)
def test_slices_are_turned_as_radiologists_look_at_them(direction, sides):
    view = slice_view(direction)
    assert view.left + view.right + view.top + view.bottom == sides
    # A voxel far to each side comes out there.
    matrix = np.array(direction, dtype=float).reshape(3, 3)
    axes = {"R": [-1, 0, 0], "L": [1, 0, 0], "A": [0, -1, 0], "P": [0, 1, 0], "S": [0, 0, 1], "I": [0, 0, -1]}
    rows, columns = np.meshgrid(np.arange(5), np.arange(7), indexing="ij")
    points = np.stack([columns - 3, rows - 2, np.zeros_like(rows)], axis=-1) @ matrix.T
    turned = view(points)
    for letter, edge in ((view.left, turned[:, 0]), (view.right, turned[:, -1]), (view.top, turned[0])):
        assert ((edge @ np.array(axes[letter])) > 0).all()


def test_letters_are_right_on_tilted_grids(orientation):
    view = slice_view(tuple(orientation.ravel()))
    rows, columns = np.meshgrid(np.arange(-9, 10), np.arange(-9, 10), indexing="ij")
    turned = view(np.stack([columns, rows, np.zeros_like(rows)], axis=-1) @ orientation.T)
    across, down = turned[:, -1].mean(axis=0), turned[-1].mean(axis=0)
    for towards, before, after in ((across, view.left, view.right), (down, view.top, view.bottom)):
        main = int(np.abs(towards).argmax())
        assert before + after == ("RL", "AP", "IS")[main][:: 1 if towards[main] > 0 else -1]


def test_a_marker_on_the_left_is_drawn_beside_its_letter(patient, resolver, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "tile", lambda rgb, frame, *rest: drawn.append(frame.shown(rgb)) or element("svg"))
    for columns, rows in ((1, 0), (0, 1)):
        images = [sitk.PermuteAxes(image, [columns, rows, 2]) for image in patient(size=(16, 16, 3))]
        result = super_resolve_patient(resolver, {"NAA": images[0]}, *images[1:])
        # All of the patient's left half, wherever the grid has it.
        grid = super_resolved_image(result.metabolites["NAA"].values, result.grid)
        x = sitk.GetArrayFromImage(sitk.PhysicalPointSource(sitk.sitkVectorFloat64, *geometry_of(grid)))[..., 0]
        result.metabolites["NAA"].values[:] = x > x.mean()
        write(tmp_path / "page.html", result, resolver)
        over_flair = drawn[len(drawn) // 3].astype(float).sum(axis=(0, 2))
        middle = over_flair.size // 2
        assert over_flair[middle:].sum() > 1.2 * over_flair[:middle].sum()
        drawn.clear()


def geometry_of(image):
    return image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection()


def test_files_are_named_after_the_folder_that_they_share():
    files = {"T1": Path("study/sub-1/anat/T1.nii"), "NAA": Path("study/sub-1/mrsi/NAA.nii")}
    shared = {"folder": str(Path("study/sub-1")), "T1": str(Path("anat/T1.nii")), "NAA": str(Path("mrsi/NAA.nii"))}
    assert file_names(files) == shared
    apart = files | {"NAA": Path("/elsewhere/NAA.nii")}
    assert file_names(apart) == {role: str(path) for role, path in apart.items()}


def test_slices_that_hold_the_regions_are_shown():
    brain = np.zeros((6, 4, 4), bool)
    brain[1:6] = True
    region = np.zeros((6, 4, 4))
    region[4, :2] = 1
    assert shown_slices(brain, [region], 1) == [4]
    assert shown_slices(brain, [region], 3) == [3, 4, 5]
    assert shown_slices(brain, [], 1) == [3]
    assert shown_slices(brain, [region], 9) == [1, 2, 3, 4, 5]


def test_numbers_as_written():
    assert [number(value) for value in (None, 0.01234, 12.345, 1234.5, float("nan"))] == [
        "–",
        "0.0123",
        "12.3",
        "1234",
        "–",
    ]
    assert with_half_width(1.2345, 0.0678) == ("1.234", "0.068")
    assert with_half_width(123.4, 56.0) == ("123", "56")
    assert with_half_width(1.5, None) == ("1.5", "")


def test_colours_end_with_the_window():
    assert coloured(np.array([0, 1, 2]), 1, "viridis").tolist() == [[68, 1, 84], [253, 231, 37], [253, 231, 37]]
    grey = on_anatomy(np.ones((1, 1)), np.zeros((1, 1), bool), 1, "inferno", np.full((1, 1), 0.5))
    assert grey.tolist() == [[[128, 128, 128]]]


def test_markup_escapes():
    assert (
        document(element("p", "a < b", element("b", "&"), " c")) == "<!doctype html>\n<p>a &lt; b<b>&amp;</b> c</p>\n"
    )


def test_without_a_browser_the_page_remains_and_one_sentence_says_why(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    monkeypatch.delenv(pdf.BROWSER_VARIABLE, raising=False)
    fewer = {"--maps": [str(path) for path in (SAMPLE / "mrsi").glob("*n16*acquired_tCho.nii.gz")]}
    assert main([*arguments(tmp_path, **fewer, **{"--pdf": [str(tmp_path / "page.pdf")]}), "--no-uncertainty"]) == 0
    assert "no browser was found" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_pdf_is_whole_if_its_end_names_the_place_of_its_objects():
    whole = b"%PDF-1.4\nthe page\nxref\n0 0\ntrailer\nstartxref\n18\n%%EOF\n"
    assert pdf._is_whole(whole)
    assert pdf._is_whole(whole.replace(b"xref\n0 0", b"7 0 obj\n", 1))
    for cut in (b"", whole[:-8], whole[9:], whole.replace(b"the ", b""), whole.replace(b"18", b"99")):
        assert not pdf._is_whole(cut)


def test_a_browser_that_fails_leaves_nothing(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<p>")
    from inference_core.errors import InputError

    with pytest.raises(InputError, match="could not print"):
        pdf.print_pdf(page, tmp_path / "page.pdf", "/bin/false")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.skipif(pdf.find_browser() is None, reason="there is no browser")
def test_the_page_is_one_sheet(result, resolver, tmp_path):
    one = result.metabolites["NAA"]
    metabolites = {name: replace(one, quantity=Quantity((name,))) for name in METABOLITES}
    ratios = {own.name: replace(one, quantity=Quantity(own.metabolites, own)) for own in STANDARD_RATIOS}
    all_of_them = replace(result, metabolites=metabolites, ratios=ratios)
    mask = super_resolved_image(result.brain, result.grid)
    regions = {f"region {index} with a long name": mask for index in range(4)}
    page = write(
        tmp_path / "page.html",
        all_of_them,
        resolver,
        regions=regions,
        rows=region_rows(all_of_them, regions),
        warnings=[f"Warning {index} of something that deserves a second look." for index in range(8)],
    )
    printed = pdf.print_pdf(page, tmp_path / "page.pdf", pdf.find_browser())
    assert len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) == 1


def test_the_command_needs_no_matplotlib(tmp_path):
    code = "import sys; import inference_core.report.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
