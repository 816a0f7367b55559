"""LPIPS: clear sentences where it can't be had, and its own properties where it can."""

import importlib.util
import sys
import types

import numpy as np
import pytest
import torch

from inference_core.errors import InputError
from inference_core.research.evaluation.perceptual import load_lpips

installed = pytest.mark.skipif(
    not (importlib.util.find_spec("lpips") and importlib.util.find_spec("torchvision")),
    reason="lpips and torchvision are not installed",
)


def test_a_missing_package_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(InputError, match="needs the packages lpips and torchvision"):
        load_lpips()


def test_a_torchvision_of_another_build_is_said(monkeypatch):
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "lpips":
                raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(InputError, match="torchvision that was built for this PyTorch"):
        load_lpips()


def _pretend(monkeypatch, make):
    module = types.ModuleType("lpips")
    module.LPIPS = make
    monkeypatch.setitem(sys.modules, "lpips", module)


def test_a_trunk_that_can_not_be_downloaded_is_said(monkeypatch):
    def make(**options):
        raise OSError("no route to host")

    _pretend(monkeypatch, make)
    with pytest.raises(InputError, match=r"can't be downloaded \(no route to host\): name a file"):
        load_lpips()


def test_files_that_are_no_trunk_are_refused(monkeypatch, tmp_path):
    class Network(torch.nn.Module):
        def __init__(self, **options):
            super().__init__()
            self.net = torch.nn.ModuleDict({"slice1": torch.nn.ModuleList([torch.nn.Conv2d(3, 4, 3)])})

    _pretend(monkeypatch, Network)
    with pytest.raises(InputError, match="There is no file"):
        load_lpips(tmp_path / "missing.pth")
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(InputError, match="does not hold AlexNet's weights") as caught:
        load_lpips(tmp_path / "text.pth")
    assert "\n" not in str(caught.value)
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="does not hold AlexNet's weights"):
        load_lpips(tmp_path / "other.pth")


@installed
def test_images_that_differ_more_are_further_apart(tmp_path):
    # A CPU build of torch lacks two operators that torchvision's CUDA build declares more about.
    if "torchvision" not in sys.modules:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, name):
                library.define(f"{name}(Tensor a, Tensor b, float c) -> Tensor")
    from torchvision.models import alexnet

    torch.manual_seed(0)
    torch.save(alexnet().state_dict(), tmp_path / "random.pth")
    measure = load_lpips(tmp_path / "random.pth")
    rng = np.random.default_rng(0)
    truth = rng.random((64, 64))
    noise = rng.standard_normal((64, 64))
    assert measure(truth, truth) == 0
    assert 0 < measure(truth + 0.05 * noise, truth) < measure(truth + 0.3 * noise, truth)
    assert measure(5 * truth + 5 * 0.3 * noise, 5 * truth) == pytest.approx(
        measure(truth + 0.3 * noise, truth), rel=1e-3
    )
