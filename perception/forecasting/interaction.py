"""Interaction: messages of the nearest neighbours, pooled in whatever order (Alahi et al. 2016, Social LSTM).

A neighbour's message is made from its own recurrent state and from how it is seen by the object: where, how far, how
it moves. Maximum and mean of the messages go to the decoder; nobody near gives zeros.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor, nn

from perception.arrays import FloatArray, IntArray

NEIGHBOURS = 8
"""So many of the nearest take part."""


class InteractionPooling(nn.Module):
    """(N, E) encoded objects, relations (N, M, R) and neighbours (N, M) to the pooled messages (N, 2 * size)."""

    def __init__(self, encoded_size: int, relation_size: int, size: int) -> None:
        super().__init__()
        self.state = nn.Linear(encoded_size, size)
        self.relation = nn.Linear(relation_size, size)
        self.message = nn.Linear(size, size)

    def forward(self, encoded: Tensor, relations: Tensor, neighbours: Tensor) -> Tensor:
        """``neighbours`` are rows of ``encoded``, -1 for none."""
        states = self.state(encoded)[neighbours.clamp(min=0)]  # (N, M, size)
        messages = self.message((states + self.relation(relations)).relu()).relu()
        # Messages are never negative: where nobody is, zero changes neither the maximum nor the sum.
        valid = messages * (neighbours >= 0)[..., None].to(messages.dtype)
        count = (neighbours >= 0).sum(dim=1, keepdim=True).clamp(min=1)
        return torch.cat([valid.amax(dim=1), valid.sum(dim=1) / count], dim=-1)


def nearest_neighbours(positions: FloatArray, groups: IntArray | None = None, count: int = NEIGHBOURS) -> IntArray:
    """(N, count): for positions (N, 2) the nearest others of the same group (N,), nearest first; -1 fills up."""
    total = len(positions)
    neighbours = np.full((total, count), -1)
    groups = np.zeros(total, int) if groups is None else groups
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        if len(rows) < 2:
            continue
        wanted = min(count, len(rows) - 1) + 1
        _, found = cKDTree(positions[rows]).query(positions[rows], k=wanted)
        others = found != np.arange(len(rows))[:, None]
        # Objects at the very same position may push each other out of the list: then the last found is left out.
        others[others.all(axis=1), -1] = False
        neighbours[rows, : wanted - 1] = rows[found[others].reshape(len(rows), wanted - 1)]
    return neighbours
