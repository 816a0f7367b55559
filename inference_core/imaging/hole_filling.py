"""Filling the holes of a mask: many times faster than a search for connected components where holes are few."""

import numpy as np


def _occupied(mask: np.ndarray) -> tuple[slice, ...] | None:
    """The smallest block that holds all of a mask, or None if it is empty."""
    block = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        along = np.flatnonzero(mask.any(axis=others))
        if not along.size:
            return None
        block.append(slice(along[0], along[-1] + 1))
    return tuple(block)


def _seen_from_outside(empty: np.ndarray) -> np.ndarray:
    """Empty voxels between which and the border, along one of the axes, all are empty."""
    seen = np.zeros_like(empty)
    # Plane by plane, which NumPy does many times faster than accumulating; and not along the last axis, whose planes do
    # not lie together in memory: what only it would find is reached around corners.
    for axis in range(empty.ndim - 1):
        planes, found = np.moveaxis(empty, axis, 0), np.moveaxis(seen, axis, 0)
        for order in (range(len(planes)), reversed(range(len(planes)))):
            reached = np.ones_like(planes[0])
            for index in order:
                reached &= planes[index]
                found[index] |= reached
    return seen


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """A mask with what it encloses: voxels that no chain of faces of empty voxels connects with the border.

    Args:
        mask: bool, 3-D.

    Returns:
        The same shape, bool.
    """
    filled = mask.copy()
    block = _occupied(mask)
    if block is None:
        return filled
    # A layer of empty voxels around the block, which stands for all that is outside it.
    empty = np.pad(~mask[block], 1, constant_values=True)
    unknown = empty & ~_seen_from_outside(empty)
    strides = [int(np.prod(empty.shape[axis + 1 :])) for axis in range(empty.ndim)]
    offsets = np.array([sign * stride for stride in strides for sign in (-1, 1)])
    outside, hidden = (empty & ~unknown).reshape(-1), unknown.reshape(-1)
    places = np.flatnonzero(hidden)
    # Of what is not seen, what can be reached around corners, layer by layer.
    front = places[outside[places[:, None] + offsets].any(axis=1)]
    while front.size:
        hidden[front] = False
        near = (front[:, None] + offsets).reshape(-1)
        front = np.unique(near[hidden[near]])
    inner = (slice(1, -1),) * mask.ndim
    filled[block] |= unknown[inner]
    return filled
