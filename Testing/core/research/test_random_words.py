"""Random numbers as tensor code: the published generator's, and evenly and normally distributed."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from inference_core.research.data.random_words import RandomWords, philox

#: Known answers of Philox 4x32-10: counter, key, result (Random123's test vectors).
_KNOWN = (
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
)


@pytest.mark.parametrize(("counter", "key", "expected"), _KNOWN)
def test_words_are_the_published_generators(counter, key, expected):
    words = philox(tuple(torch.tensor([word]) for word in counter), key)
    assert tuple(int(word) for word in words) == expected


def _random(step=0, rows=4, count=4096, seed=1):
    return RandomWords(seed, torch.tensor([step]), torch.arange(rows), count)


def test_numbers_are_evenly_and_normally_distributed():
    uniform = _random().uniform(4096)
    assert 0 <= uniform.min() < uniform.max() < 1
    assert kstest(uniform.flatten(), "uniform").pvalue > 0.01
    normal = _random(step=1).normal(4096)
    assert kstest(normal.flatten(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(normal[:, :-1].flatten(), normal[:, 1:].flatten())[0, 1]) < 0.03


def test_no_two_rows_steps_seeds_or_places_share_numbers():
    # The critic's steps come after 2^32, whose words must not be taken for those of a step before.
    drawn = [
        _random(step, rows=3, count=64, seed=seed).words(64).flatten()
        for step in (0, 1, 1 << 32, (1 << 32) + 1)
        for seed in (0, 1, 1 << 32)
    ]
    words = torch.cat(drawn)
    assert len(words.unique()) == len(words)


def test_a_row_does_not_depend_on_the_other_rows():
    alone = RandomWords(1, torch.tensor([5]), torch.tensor([2]), 8).words(8)
    assert torch.equal(_random(5, count=8).words(8)[2:3], alone)


def test_more_than_there_are_cannot_be_drawn():
    random = _random(count=8)
    random.words(6)
    with pytest.raises(ValueError, match="9 words"):
        random.words(3)
