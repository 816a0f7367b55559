"""Where the public data for these tests lie; the tests skip where they don't."""

from pathlib import Path

import pytest
import SimpleITK as sitk

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def _folder(name):
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"real data not found: {name} is expected in ../shared/data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def glioma_patient():
    """T1, FLAIR and tumour segmentation of TCGA-DU-7294, as SimpleITK images."""
    folder = _folder("tcga-DU-7294")
    return {name: sitk.ReadImage(str(folder / f"{name}.nii.gz")) for name in ("t1", "flair", "tumour_segmentation")}


@pytest.fixture(scope="session")
def examination():
    """The folder of the Oryx K_01 examination."""
    return _folder("oryx-K_01")
