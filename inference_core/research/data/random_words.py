"""Counter-based random numbers as tensor code: functions of seed, step, example and position, equal on all devices.

Philox 4x32-10 (Salmon et al. 2011, Proc. SC'11, "Parallel random numbers: as easy as 1, 2, 3"): a counter goes in,
four words of 32 bits come out. PyTorch's own generators have a state that a resumed run, or a recorded CUDA graph,
would have to restore, and give other numbers on a GPU than on a CPU.
"""

import math

import torch
from torch import Tensor

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_WORD = 0xFFFFFFFF
#: Bits of a word that a float32 from 0 to 1 holds.
_FLOAT_BITS = 24


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> tuple[Tensor, ...]:
    """Four words from a counter of four, each an int64 tensor of values from 0 to 2^32 - 1; all broadcast.

    Args:
        counter: words, the least significant first.
        key: two words.
    """
    first, second, third, fourth = counter
    low_key, high_key = key
    for _ in range(_ROUNDS):
        # The product's upper half survives the overflow of signed integers, which wrap around.
        products = first * _MULTIPLIERS[0], third * _MULTIPLIERS[1]
        (upper, lower), (upper_third, lower_third) = (((p >> 32) & _WORD, p & _WORD) for p in products)
        first, second, third, fourth = upper_third ^ second ^ low_key, lower_third, upper ^ fourth ^ high_key, lower
        low_key, high_key = (low_key + _KEY_STEPS[0]) & _WORD, (high_key + _KEY_STEPS[1]) & _WORD
    return first, second, third, fourth


class RandomWords:
    """Words to draw from, row by row, in the order of the calls.

    Args:
        seed: an integer from 0 to 2^64 - 1.
        step: `(1,)` int64, from 0.
        streams: `(row,)` int64 from 0 to 2^32 - 1; each row has numbers of its own.
        count: words a row, at most 2^34.
        places: int64, 0 to at least `count` / 4; made if None.
    """

    def __init__(self, seed: int, step: Tensor, streams: Tensor, count: int, places: Tensor | None = None):
        blocks = -(-count // 4)
        places = torch.arange(blocks, device=step.device) if places is None else places[:blocks]
        counter = places.expand(len(streams), -1), streams[:, None], step & _WORD, step >> 32
        # Block by block, so that the first words are the same however many there are.
        self._words = torch.stack(philox(counter, (seed & _WORD, seed >> 32)), dim=2).flatten(1)
        self._next = 0

    def words(self, count: int) -> Tensor:
        """`(row, count)` int64, each from 0 to 2^32 - 1.

        Raises:
            ValueError: if there are no more.
        """
        if self._next + count > self._words.shape[1]:
            raise ValueError(f"{self._next + count} words are asked for, of {self._words.shape[1]}")
        self._next += count
        return self._words[:, self._next - count : self._next]

    def uniform(self, count: int) -> Tensor:
        """`(row, count)` float32 from 0 to below 1."""
        return (self.words(count) >> (32 - _FLOAT_BITS)).float() * 2.0**-_FLOAT_BITS

    def between(self, low: float, high: float) -> Tensor:
        """`(row,)` float32, evenly from `low` to below `high`."""
        return low + (high - low) * self.uniform(1)[:, 0]

    def below(self, count: int) -> Tensor:
        """`(row,)` int64 from 0 to below `count`, which is at most 2^24."""
        return (self.uniform(1)[:, 0] * count).long()

    def normal(self, count: int) -> Tensor:
        """`(row, count)` float32, standard normal (Box and Muller 1958); takes an even number of words."""
        radius, angle = self.uniform(2 * -(-count // 2)).chunk(2, dim=1)
        radius, angle = torch.sqrt(-2 * torch.log(1 - radius)), 2 * math.pi * angle
        return torch.cat((radius * torch.cos(angle), radius * torch.sin(angle)), dim=1)[:, :count]
