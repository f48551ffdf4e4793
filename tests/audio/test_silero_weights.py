from __future__ import annotations

import numpy as np

from realtime_nb.audio import silero_weights
from realtime_nb.audio.pcm import Samples

MATRIX = np.eye(8, dtype=np.float32)  # sums of one summand are exact in any order


def test_whether_blas_sums_by_place_is_found_out() -> None:
    def by_place(rows: Samples, matrix: Samples) -> Samples:
        result: Samples = rows @ matrix
        result[-1] = np.nextafter(result[-1], np.float32(np.inf))  # the last row's very last bit
        return result

    def by_others(rows: Samples, matrix: Samples) -> Samples:
        result: Samples = rows @ matrix + np.float32(rows[0, 0] == 0)
        return result

    def by_number(rows: Samples, matrix: Samples) -> Samples:
        result: Samples = rows @ matrix
        return np.nextafter(result, np.float32(np.inf)) if len(rows) > 4 else result

    def only_many_by_place(rows: Samples, matrix: Samples) -> Samples:
        return by_place(rows, matrix) if len(rows) > 4 else rows @ matrix

    assert silero_weights._stacks([MATRIX]) == (8, 4)
    assert silero_weights._stacks([MATRIX], by_place) == (1,)
    assert silero_weights._stacks([MATRIX], by_others) == (1,)
    assert silero_weights._stacks([MATRIX], by_number) == (4,)
    assert silero_weights._stacks([MATRIX], only_many_by_place) == (4,)


def test_products_of_any_number_of_rows_and_into_any_place() -> None:
    weights = silero_weights.silero_weights()
    draw = np.random.default_rng(0)
    for matrix in (weights.input, weights.conv[0]):
        for n in (1, 3, 4, 7, 8, 13, 20):
            rows = draw.standard_normal((n, len(matrix) + 5), np.float32)[:, 5:]
            wide = np.full((n, matrix.shape[1] + 3), 7, np.float32)
            weights.product(rows, matrix, wide[:, 2:-1])
            np.testing.assert_allclose(wide[:, 2:-1], rows @ matrix, atol=1e-3)
            assert np.all(wide[:, :2] == 7) and np.all(wide[:, -1] == 7)
            alone = weights.product(rows[-1:], matrix)
            np.testing.assert_array_equal(weights.product(rows, matrix)[-1:], alone)


def test_no_load_of_64_bytes_straddles_two_lines() -> None:
    weights = silero_weights.silero_weights()
    matrices = [
        *(weights.cosines, weights.sines, weights.input, weights.recurrent, *weights.conv),
        *(weights.input_by_gate, weights.recurrent_by_gate),
        *(matrix for _, matrix, _ in weights.first + weights.second),
    ]
    for matrix in matrices:
        assert matrix.ctypes.data % 64 == 0
        assert [step % 64 for step in matrix.strides[:-1]] == [0] * (matrix.ndim - 1)
        assert matrix.strides[-1] == 4  # else BLAS would be given a copy
