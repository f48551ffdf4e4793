"""Days, times, names, places and numbers in what somebody said.

Written for transcripts: figures or words, with or without capitals and punctuation. Every finder
returns what it found in the order in which it was said, with the place in the text, and nothing
that was not said.

How days are understood, with ``today`` as the reference:

- A weekday, with or without "next", is the coming one, at least a day ahead: on a Sunday "next
  Tuesday" is two days later, on a Tuesday it is a week later. Only "this Tuesday" may be today.
- "Tuesday next week" is in the week, Monday to Sunday, after the present one.
- A date without a year, and a day without a month, is the next such day from today on.

A time without morning or afternoon is read by the clock of an office: one to six is in the
afternoon, seven to twelve o'clock is not changed.
"""

from __future__ import annotations

from realtime_nb.local.entities.days import find_dates
from realtime_nb.local.entities.found import Found, TextSpan, overlaps
from realtime_nb.local.entities.names import find_names, find_places, title_name
from realtime_nb.local.entities.numbers import find_numbers, find_yes_no
from realtime_nb.local.entities.times import find_times
from realtime_nb.local.entities.weekdays import wants_weekday, weekday_value

__all__ = [
    "Found",
    "TextSpan",
    "find_dates",
    "find_names",
    "find_numbers",
    "find_places",
    "find_times",
    "find_yes_no",
    "overlaps",
    "title_name",
    "wants_weekday",
    "weekday_value",
]
