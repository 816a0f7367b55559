"""Filter conditioners: what becomes of a convolution's filters for an n and a metabolite.

All are called as `filters(weight, condition)` with filters `(output, input, row, column, depth)`, and return such.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from inference_core.networks.conditioning import Condition, fully_connected, starting_at
from inference_core.terms.conditions import METABOLITES

#: Length of the vector that a metabolite's name is embedded in (paper, Fig. 1).
_EMBEDDING = 3
#: Share of an ordinary convolution's initial weights that a condition changes in untrained predicted filters.
_INITIAL_CHANGE = 0.1


class FixedFilters(nn.Module):
    """The same filters for every condition."""

    conditions: ClassVar[frozenset[str]] = frozenset()
    owns_filters: ClassVar[bool] = False

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int]):
        super().__init__()

    def forward(self, filters: Tensor, condition: Condition) -> Tensor:
        """`filters`."""
        return filters


class FilterScaling(nn.Module):
    """One factor per filter from n: f' = c(n) * f (paper, Eq. 2)."""

    conditions: ClassVar[frozenset[str]] = frozenset({"resolution"})
    owns_filters: ClassVar[bool] = False

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int], width: int = 32):
        super().__init__()
        self.shape = (outputs, inputs)
        self.resolution = fully_connected(1, width, 4)
        self.factors = starting_at(1.0, nn.Linear(width, inputs * outputs))

    def forward(self, filters: Tensor, condition: Condition) -> Tensor:
        """`filters` scaled for the condition."""
        factors = self.factors(self.resolution(condition.resolution.reshape(1)))
        return filters * factors.reshape(*self.shape, 1, 1, 1)


class FilterScalingWithMetabolite(nn.Module):
    """One factor per filter from n and the metabolite: f' = c(n, E(m)) * f (paper, Eq. 3)."""

    conditions: ClassVar[frozenset[str]] = frozenset({"resolution", "metabolite"})
    owns_filters: ClassVar[bool] = False

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int], width: int = 32):
        super().__init__()
        self.shape = (outputs, inputs)
        self.embedding = nn.Embedding(len(METABOLITES), _EMBEDDING)
        self.resolution = fully_connected(1, width, 4)
        self.metabolite = fully_connected(_EMBEDDING, width, 4)
        self.joint = fully_connected(2 * width, 2 * width, 1)
        self.factors = starting_at(1.0, nn.Linear(2 * width, inputs * outputs))

    def forward(self, filters: Tensor, condition: Condition) -> Tensor:
        """`filters` scaled for the condition."""
        resolution = self.resolution(condition.resolution.reshape(1))
        metabolite = self.metabolite(self.embedding(condition.metabolite))
        factors = self.factors(self.joint(torch.cat((resolution, metabolite))))
        return filters * factors.reshape(*self.shape, 1, 1, 1)


class PredictedFilters(nn.Module):
    """All of the filters from n: a hypernetwork (Ha et al. 2016; paper, Sec. 3.3).

    The last layer's bias starts as an ordinary convolution's weights do, its weights much smaller: so an untrained
    network is an ordinary one that n hardly changes.
    """

    conditions: ClassVar[frozenset[str]] = frozenset({"resolution"})
    owns_filters: ClassVar[bool] = True

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int], width: int = 32):
        super().__init__()
        self.shape = (outputs, inputs, *kernel)
        self.resolution = fully_connected(1, width, 4)
        self.predicted = nn.Linear(width, math.prod(self.shape))
        bound = 1 / math.sqrt(inputs * math.prod(kernel))
        nn.init.uniform_(self.predicted.bias, -bound, bound)
        nn.init.uniform_(self.predicted.weight, -_INITIAL_CHANGE * bound, _INITIAL_CHANGE * bound)

    def forward(self, filters: None, condition: Condition) -> Tensor:
        """The filters for the condition; there are none to begin with."""
        return self.predicted(self.resolution(condition.resolution.reshape(1))).reshape(self.shape)
