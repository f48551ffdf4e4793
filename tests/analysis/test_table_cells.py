from __future__ import annotations

import math

from realtime_nb.analysis.table_cells import between_ms, or_nan, rest_ms


def test_what_is_unknown_is_not_a_number() -> None:
    assert math.isnan(or_nan(None))
    assert or_nan(3) == 3.0
    assert between_ms(1.5, 2.0) == 500
    assert math.isnan(between_ms(None, 2.0))
    assert math.isnan(between_ms(1.5, None))


def test_of_audio_of_unknown_length_nobody_knows_what_was_not_heard() -> None:
    assert math.isnan(rest_ms(math.nan, 100.0)) and math.isnan(rest_ms(100.0, math.nan))
    assert (rest_ms(300.0, 100.0), rest_ms(100.0, 300.0)) == (200.0, 0.0)
