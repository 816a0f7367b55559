"""Point spreads that maps are seen through: as wide as they say, of every kind."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from training_samples import random_slices

from inference_core.research.data import point_spread
from inference_core.research.data.batch_options import POINT_SPREADS, BatchOptions, PointSpreadOptions
from inference_core.research.data.point_spread import PointSpreads
from inference_core.research.data.random_words import RandomWords
from inference_core.research.data.training_batches import TrainingBatches


def _seen(kind, widths, angle=0.0):
    """A point in the middle of the map, through a point spread."""
    point = torch.zeros(1, 1, 64, 64)
    point[0, 0, 32, 32] = 1
    spreads = PointSpreads(PointSpreadOptions())
    factors = spreads.factors(
        torch.tensor([POINT_SPREADS.index(kind)]), torch.tensor([widths]), torch.tensor([float(angle)])
    )
    return spreads(point, factors)[0, 0].double().numpy()


def _width(profile):
    """Full width at half maximum of a profile that peaks in its middle, by k-space interpolation."""
    kspace = np.fft.fftshift(np.fft.fft(np.fft.ifftshift(profile)))
    frequency = np.fft.fftshift(np.fft.fftfreq(64))
    place = np.linspace(0, 16, 1601)
    fine = (np.exp(2j * np.pi * place[:, None] * frequency) @ kspace).real
    return 2 * place[np.argmax(fine < fine[0] / 2)]


@pytest.mark.parametrize("kind", POINT_SPREADS)
@pytest.mark.parametrize("widths", [(3.0, 3.0), (6.0, 6.0), (3.0, 5.0), (5.0, 3.0)])
def test_a_point_spread_is_as_wide_as_it_says(kind, widths):
    seen = _seen(kind, widths)
    assert seen.sum() == pytest.approx(1, abs=1e-4)
    # The 64 x 64 grid rounds the tip of a triangle.
    tolerance = 0.06 if kind == "interpolated" else 0.04
    assert _width(seen[:, 32]) == pytest.approx(widths[0], rel=tolerance)
    assert _width(seen[32]) == pytest.approx(widths[1], rel=tolerance)


@pytest.mark.parametrize("kind", ["gaussian", "elliptical", "regularised"])
def test_a_turned_point_spread_is_wide_along_the_turned_axes(kind):
    np.testing.assert_allclose(_seen(kind, (3.0, 5.0), np.pi / 2), _seen(kind, (5.0, 3.0)), atol=2e-5)
    seen = _seen(kind, (3.0, 5.0), np.pi / 4)
    rows, columns = np.mgrid[-32:32, -32:32]
    # The correlation of rows and columns has the sign of the turn.
    assert (np.clip(seen, 0, None) * rows * columns)[24:41, 24:41].sum() < -0.01


def test_blocks_of_k_space_end():
    for kind, width in (("elliptical", 4.0), ("hamming", 4.0)):
        kspace = np.abs(np.fft.fftshift(np.fft.fft2(_seen(kind, (width, width)))))
        half = (1.4102 if kind == "elliptical" else 1.8152) * 64 / width / 2
        rows, columns = np.abs(np.mgrid[-32:32, -32:32])
        distance = np.hypot(rows, columns) if kind == "elliptical" else np.maximum(rows, columns)
        assert kspace[distance > half + 1].max() < 1e-5
        assert kspace[distance < half - 1].min() > 0.004


def test_what_is_drawn_is_distributed_as_the_options_say():
    spreads = PointSpreads(PointSpreadOptions(0.75, (0.4, 6.0), ("gaussian",)))
    random = RandomWords(1, torch.tensor([2]), torch.arange(4000), point_spread.WORDS)
    factors = spreads.draw(random)
    without = (factors == 1).all(dim=(1, 2))
    assert without.float().mean().item() == pytest.approx(0.25, abs=0.03)
    # The curvature of a Gaussian's logarithm gives its widths.
    logarithm = -factors[~without][:, [31, 32], [32, 31]].double().log()
    widths = (logarithm / 2).sqrt() * 64 / np.pi * 2 * np.sqrt(2 * np.log(2)) / 1
    mean = widths.square().mean(dim=1).sqrt().numpy()
    assert 1.3 < np.median(mean) < 1.9
    assert mean.max() < 6.0 * np.sqrt(1.25) * 1.01
    isotropic = (logarithm[:, 0] - logarithm[:, 1]).abs() < 1e-5 * logarithm[:, 0] + 1e-7
    assert isotropic.float().mean().item() == pytest.approx(0.5, abs=0.08)
    assert kstest(np.log(mean[isotropic.numpy()] / 0.4) / np.log(15), "uniform").pvalue > 0.001


def test_only_the_kinds_asked_for_are_drawn():
    for kind in POINT_SPREADS:
        spreads = PointSpreads(PointSpreadOptions(1.0, (3.0, 3.0), (kind,)))
        chosen = []
        spreads.factors = lambda kind, widths, angle, chosen=chosen: chosen.append(kind) or torch.ones(len(kind), 1, 1)
        spreads.draw(RandomWords(1, torch.tensor([2]), torch.arange(20), point_spread.WORDS))
        assert set(chosen[0].tolist()) == {POINT_SPREADS.index(kind)}


def test_the_truth_and_what_is_acquired_are_seen_alike():
    slices = random_slices(2)
    slices.target[:] = slices.acquired
    slices.valid[:] = True
    plain, seen = (
        TrainingBatches(slices, 2, 5, BatchOptions(point_spread=PointSpreadOptions(share, (6.0, 6.0))), (64,)).batch(0)
        for share in (0.0, 1.0)
    )
    assert (seen.target >= 0).all()
    shown = seen.mask > 0
    torch.testing.assert_close(seen.low_resolution[shown], seen.target[shown], rtol=1e-4, atol=1e-4)
    inner = (..., slice(16, 48), slice(16, 48))
    assert (seen.target[inner].std(dim=(2, 3)) < 0.5 * plain.target[inner].std(dim=(2, 3))).all()
