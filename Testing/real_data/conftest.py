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


@pytest.fixture(scope="session")
def multivoxel():
    """The folder of LCModel's own csv of a multi-voxel run."""
    return _folder("lcmodel-multivoxel")


@pytest.fixture(scope="session")
def clinical_examination():
    """The folder of a clinical examination as it comes: T1 and FLAIR with thick oblique slices and the skull on."""
    return _folder("openms-clinical")
