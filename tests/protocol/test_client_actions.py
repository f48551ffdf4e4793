"""Whoever drives the protocol can tell apart all that it may want."""

from __future__ import annotations

import inspect
import re
from typing import get_args

import pytest

from realtime_nb.protocol import client_actions
from realtime_nb.session import driver


@pytest.mark.parametrize("action", get_args(client_actions.ClientAction))
def test_the_driver_of_sessions_does_each(action: type) -> None:
    assert action.__name__ in client_actions.__all__
    handled = rf"case .*\bactions\.{action.__name__}\("
    assert re.search(handled, inspect.getsource(driver.Driver))
