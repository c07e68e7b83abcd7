"""A column that grows at its end."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Growing:
    """Row k is `at[k]`, for k below its length; beyond that there is room for rows to come."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.at = values.copy()
        self._size = len(values)

    def append(self, value: Any) -> int:
        """Its place."""
        if self._size == len(self.at):
            room = np.zeros((max(64, self._size), *self.at.shape[1:]), self.at.dtype)
            self.at = np.concatenate((self.at, room))
        self.at[self._size] = value
        self._size += 1
        return self._size - 1

    def __len__(self) -> int:
        return self._size
