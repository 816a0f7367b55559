"""LCModel's own csv of a multi-voxel run: 96 voxels of one row, in its centre-out order, some fits far off."""

import numpy as np
import pytest

from inference_core.errors import InputError
from inference_core.study.geometry_sources import GeometryOptions
from inference_core.study.lcmodel import read_lcmodel
from inference_core.study.map_sources import maps_from_lcmodel


def test_each_voxel_is_where_its_line_says(multivoxel):
    maps = read_lcmodel(multivoxel)
    assert maps.matrix == (1, 1, 100)
    naa, bound = maps.concentrations["NAA"][0, 0], maps.crlb["NAA"][0, 0]
    # The first lines of the file are of columns 51, 50, 52.
    assert (naa[50], naa[49], naa[51]) == (0.519, 0.293, 1.28e9)
    assert (bound[50], bound[49], bound[51]) == (4, 9, 6)
    assert np.flatnonzero(np.isnan(naa)).tolist() == [24, 30, 62, 96]
    assert maps.concentrations["GPC+PCh"][0, 0, 50] == 6.96e-2
    assert maps.crlb["GPC"][0, 0, 49] == 999
    assert maps.snr is None


def test_one_row_of_voxels_is_no_map(multivoxel):
    with pytest.raises(InputError, match="is one row of 100 voxels"):
        maps_from_lcmodel(multivoxel, None, GeometryOptions(voxel=(10.0, 10.0, 10.0), origin=(0.0, 0.0, 0.0)))
