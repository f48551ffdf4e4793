"""Compares how days, times and numbers are understood: the rules of this package and libraries.

    python scripts/compare_dates.py

Every library that can be imported is asked what the tests ask of the rules
(``tests/local/entities``), which the rules get right for that reason, and other days and times that
were written for this comparison; a table says how often it was right. None has to be there; for
all of them:

    pip install dateparser parsedatetime recurrent timefhuman ctparse \\
        text2num number-parser word2number

Libraries get the benefit of the doubt: what else they find beside the right value doesn't count
against them, and a time is right in either half of the day. What names nothing has to give nothing.
Where text2num is there, each is asked a second time with numbers turned into figures by it.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import importlib.metadata
import importlib.util
import io
import logging
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from realtime_nb.local.entities import find_dates, find_numbers, find_times  # noqa: E402
from tests.local.entities import test_days, test_numbers, test_times  # noqa: E402

BASE = datetime.datetime(2026, 11, 22, 9, 7)  # the tests' Sunday; nothing in them is at 9:07
Moment = tuple[datetime.date | None, datetime.time | None]
Finder = Callable[[str], Iterable[Any]]
Case = tuple[str, Any]

# --- what the libraries find ----------------------------------------------------------------------


def _ours(text: str) -> Iterator[Moment]:
    days = find_dates(text, BASE.date())
    yield from ((found.value, None) for found in days)
    times = find_times(text, [found.span for found in days])
    yield from ((None, found.value) for found in times)


def _dateparser(text: str) -> Iterator[Moment]:
    from dateparser.search import search_dates

    settings = {"RELATIVE_BASE": BASE, "PREFER_DATES_FROM": "future"}
    for _, found in search_dates(text, languages=["en"], settings=settings) or ():
        yield found.date(), _said(found)


def _parsedatetime(text: str) -> Iterator[Moment]:
    import parsedatetime

    calendar = parsedatetime.Calendar(version=parsedatetime.VERSION_CONTEXT_STYLE)
    for found, context, *_ in calendar.nlp(text, sourceTime=BASE) or ():
        yield (
            found.date() if context.hasDate else None,
            found.time() if context.hasTime else None,
        )


def _recurrent(text: str) -> Iterator[Moment]:
    import recurrent

    found = recurrent.RecurringEvent(now_date=BASE).parse(text)
    if isinstance(found, datetime.datetime):
        yield found.date(), _said(found)


def _timefhuman(text: str) -> Iterator[Moment]:
    from timefhuman import tfhConfig, timefhuman

    for found in _flat(timefhuman(text, config=tfhConfig(now=BASE))):
        if isinstance(found, datetime.datetime):
            yield found.date(), _said(found)
        elif isinstance(found, datetime.date):
            yield found, None
        elif isinstance(found, datetime.time):
            yield None, found


def _ctparse(text: str) -> Iterator[Moment]:
    from ctparse import ctparse

    found = ctparse(text, ts=BASE, timeout=5)
    moment = getattr(found and found.resolution, "start", found and found.resolution)
    if getattr(moment, "hasDate", False):
        yield moment.dt.date(), None
    if getattr(moment, "hour", None) is not None:
        yield None, datetime.time(moment.hour, moment.minute or 0)


def _said(found: datetime.datetime) -> datetime.time | None:
    """The time of it, unless it is the reference's: then none was found."""
    return None if found.time() == BASE.time() else found.time().replace(second=0, microsecond=0)


def _flat(found: Any) -> Iterator[Any]:
    if isinstance(found, list | tuple):
        for one in found:
            yield from _flat(one)
    else:
        yield found


def _our_numbers(text: str) -> Iterator[float]:
    yield from (found.value for found in find_numbers(text))


def _text2num(text: str) -> Iterator[float]:
    from text_to_num import alpha2digit

    yield from _figures(alpha2digit(text, "en"))


def _text2num_small(text: str) -> Iterator[float]:
    from text_to_num import alpha2digit

    yield from _figures(alpha2digit(text, "en", 0.0))


def _number_parser(text: str) -> Iterator[float]:
    import number_parser

    yield from _figures(number_parser.parse(text, language="en"))


def _word2number(text: str) -> Iterator[float]:
    from word2number import w2n

    with contextlib.suppress(ValueError):
        yield w2n.word_to_num(text)


def _figures(text: str) -> Iterator[float]:
    for sign, figure in re.findall(r"(minus |-|\b)(\d[\d,]*(?:\.\d+)?)\b", text):
        yield float(figure.replace(",", "")) * (-1 if sign else 1)


SMALL_TOO = "text2num, small numbers too"
MOMENTS: dict[str, Finder] = {
    "this package": _ours,
    "dateparser": _dateparser,
    "parsedatetime": _parsedatetime,
    "recurrent": _recurrent,
    "timefhuman": _timefhuman,
    "ctparse": _ctparse,
}
NUMBERS: dict[str, Finder] = {
    "this package": _our_numbers,
    "text2num": _text2num,
    SMALL_TOO: _text2num_small,
    "number-parser": _number_parser,
    "word2number": _word2number,
}
FAILURES = collections.Counter[str]()
MODULES = {
    "this package": "realtime_nb.local.entities",
    "text2num": "text_to_num",
    SMALL_TOO: "text_to_num",
    "number-parser": "number_parser",
    "word2number": "word2number.w2n",
}

# --- what they are asked --------------------------------------------------------------------------

OTHER_DAYS: list[Case] = [
    ("Could I get in a week from Friday?", "2026-12-04"),
    ("the first Monday in December", "2026-12-07"),
    ("sometime next week, maybe Wednesday", "2026-11-25"),
    ("December the 1st", "2026-12-01"),
    ("this coming Thursday", "2026-11-26"),
    ("the last day of the month", "2026-11-30"),
    ("Christmas Eve", "2026-12-24"),
    ("in a fortnight", "2026-12-06"),
    ("Wed", "2026-11-25"),
    ("Nov 30", "2026-11-30"),
    ("two days after tomorrow", "2026-11-25"),
    ("five days from now", "2026-11-27"),
    ("Thursday week", "2026-12-03"),
    ("the 5th of January", "2027-01-05"),
    ("January fifth", "2027-01-05"),
    ("a month from today", "2026-12-22"),
    ("in two months", "2027-01-22"),
    ("tomorrow week", "2026-11-30"),
    ("30.11.2026", "2026-11-30"),
    ("Friday, the fourth of December", "2026-12-04"),
    ("New Year's Day", "2027-01-01"),
    ("next month on the tenth", "2026-12-10"),
]
OTHER_TIMES: list[Case] = [
    ("quarter after three", "15:15"),
    ("around 4 pm", "16:00"),
    ("at half nine", "09:30"),
    ("ten to six", "17:50"),
    ("at 16 hundred hours", "16:00"),
    ("3 in the afternoon", "15:00"),
    ("half an hour before noon", "11:30"),
    ("at 9 o'clock sharp", "09:00"),
    ("five past eleven", "11:05"),
    ("at 11:45am", "11:45"),
    ("let's say four thirty", "16:30"),
    ("seven in the evening", "19:00"),
    ("1 pm", "13:00"),
    ("lunchtime", "12:00"),
]
"""Written for this comparison, before anything was asked. The rules had 9 of the 22 days and 8 of
the 14 times right then, and have learnt from them since."""


def _cases(test: Any) -> list[Case]:
    """Returns the values that a test is parametrized with."""
    (mark,) = (mark for mark in test.pytestmark if mark.name == "parametrize")
    return [one if isinstance(one, tuple) else (one, None) for one in mark.args[1]]


def _in_a_sentence(cases: Iterable[Case]) -> list[Case]:
    return [(f"I would like to come {text}, please.", value) for text, value in cases]


def _is_day(found: list[Moment], day: str | None) -> bool:
    days = [date.isoformat() for date, _ in found if date]
    return day in days if day else not days


def _is_time(found: list[Moment], clock: str | None) -> bool:
    said = [time for _, time in found if time]
    if clock is None:
        return all(time == datetime.time() for time in said)  # as some give for a day alone
    times = [(time.hour % 12, time.minute) for time in said]
    hour, minute = map(int, clock.split(":"))
    return (hour % 12, minute) in times


def _are_numbers(found: list[float], numbers: list[float]) -> bool:
    return sorted(found) == sorted(numbers)


def _score(finder: Finder, cases: list[Case], right: Callable[[Any, Any], bool]) -> str:
    return f"{sum(right(_asked(finder, text), value) for text, value in cases)}/{len(cases)}"


def _asked(finder: Finder, text: str) -> list[Any]:
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return list(finder(text))
    except Exception as error:  # what fails has found nothing
        FAILURES[f"{finder.__name__[1:]}: {type(error).__name__}: {error}"[:90]] += 1
        return []


# --- what they weigh ------------------------------------------------------------------------------


def _weight(name: str) -> tuple[str, str]:
    """Returns how long its import takes, the best of three, and how large it is with what it
    needs."""
    module = MODULES.get(name, name)
    timed = (
        "import sys, time; t = time.perf_counter(); import " + module + "; "
        "print((time.perf_counter() - t) * 1000)"
    )
    found = [
        float(subprocess.run([sys.executable, "-c", timed], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    needed = _with_needed(name.partition(",")[0]) if name != "this package" else set()
    size = sum(
        Path(file.locate()).stat().st_size
        for each in needed
        for file in importlib.metadata.files(each) or ()
        if file.suffix != ".pyc" and Path(file.locate()).exists()
    )
    return f"{min(found):.0f} ms", f"{size / 1e6:.1f} MB, {len(needed)}" if needed else "–"


def _with_needed(name: str) -> set[str]:
    found, left = set[str](), [name]
    while left:
        each = re.split(r"[\s<>=!~;\[(]", left.pop())[0].lower().replace("_", "-")
        if each in found:
            continue
        try:
            wanted = importlib.metadata.requires(each) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(each)
        left += [one for one in wanted if "extra ==" not in one]
    return found


def _here(name: str) -> bool:
    return importlib.util.find_spec(MODULES.get(name, name).split(".")[0]) is not None


# --- the tables -----------------------------------------------------------------------------------


def _print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    for cells in (head, ("---",) * len(head), *rows):
        print(f"| {' | '.join(cells)} |", flush=True)


def _moment_rows() -> Iterator[tuple[str, ...]]:
    days = _cases(test_days.test_days_as_people_say_them)
    times = _cases(test_times.test_times_as_people_say_them)
    no_days = _cases(test_days.test_what_is_no_day)
    no_times = _cases(test_times.test_what_is_no_time)
    asked = (
        *((days, _is_day), (_in_a_sentence(days), _is_day)),
        *((no_days, _is_day), (OTHER_DAYS, _is_day)),
        *((times, _is_time), (_in_a_sentence(times), _is_time)),
        *((no_times, _is_time), (OTHER_TIMES, _is_time)),
    )
    for name, finder in MOMENTS.items():
        if not _here(name):
            print(f"{name} is not installed.", file=sys.stderr)
            continue
        weight = _weight(name)
        yield (name, *(_score(finder, cases, right) for cases, right in asked), *weight)
        if finder is not _ours and _here("text2num"):
            after = _after_figures(finder)
            scores = (_score(after, cases, right) for cases, right in asked)
            yield (f"{name}, after text2num", *scores, "", "")


def _after_figures(finder: Finder) -> Finder:
    from text_to_num import alpha2digit

    def after(text: str) -> Iterable[Any]:
        return finder(alpha2digit(text, "en", 0.0))

    after.__name__ = finder.__name__
    return after


def _number_rows() -> Iterator[tuple[str, ...]]:
    cases = _cases(test_numbers.test_numbers)
    for name, finder in NUMBERS.items():
        if not _here(name):
            print(f"{name} is not installed.", file=sys.stderr)
            continue
        yield name, _score(finder, cases, _are_numbers), *_weight(name)


def main() -> None:
    """Prints both tables."""
    warnings.simplefilter("ignore")
    logging.disable()
    kinds = tuple(
        text.format(kind)
        for kind in ("day", "time")
        for text in ("{}s", "in a sentence", "no {}", "other {}s")
    )
    weight = ("import", "size, packages")
    _print_table(("", *kinds, *weight), _moment_rows())
    print()
    _print_table(("", "numbers", *weight), _number_rows())
    for error, count in FAILURES.items():
        print(f"failed {count} times, {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
