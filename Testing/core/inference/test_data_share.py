"""What of a result came from the measurement, and what from the network."""

import math

import numpy as np
import pytest
import torch

from inference_core.inference.data_share import measured_energy, network_part
from inference_core.networks import kspace
from inference_core.research.calibration.samples import prepare_slices
from inference_core.research.data.simulated import SimulatedSlices


def test_a_zero_filled_map_has_nothing_of_the_networks():
    prepared = prepare_slices(SimulatedSlices(4_100_000, 2).slices(), 2, 16)
    filled = kspace.zero_filled(torch.from_numpy(prepared.low_resolution), (64, 64)).numpy()
    assert not network_part(filled, prepared).any()
    added = network_part(filled + 1, prepared, [0, 1])
    np.testing.assert_allclose(added[prepared.brain], 1, rtol=1e-4)
    assert not added[~prepared.brain].any()


@pytest.mark.parametrize("n", [15, 16])
def test_energy_is_counted_inside_and_outside_what_was_measured(n):
    rng = np.random.default_rng(0)
    spectrum = kspace.to_kspace(torch.from_numpy(rng.standard_normal((2, 64, 64))))
    inner = kspace.pad(kspace.truncate(spectrum, (n, n)), (64, 64))
    inside = kspace.to_image(inner).real.numpy()
    assert measured_energy(inside, (n, n)) > 0.93
    assert measured_energy(inside + 7, (n, n)) == pytest.approx(measured_energy(inside, (n, n)))
    outside = kspace.to_image(spectrum - inner).real.numpy()
    assert measured_energy(outside, (n, n)) < 0.07
    # White noise has its energy evenly everywhere.
    noise = rng.standard_normal((50, 64, 64))
    assert measured_energy(noise, (n, n)) == pytest.approx((n / 64) ** 2, rel=0.03)
    assert math.isnan(measured_energy(np.ones((64, 64)), (n, n)))
