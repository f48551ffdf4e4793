from __future__ import annotations

import datetime
import json
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.commands.appointments import SERVICES, SLOTS, AppointmentBook
from realtime_nb.errors import ConfigurationError
from realtime_nb.local.small_talk import offer
from realtime_nb.local.tool_arguments import read_tool
from realtime_nb.tools import ToolCall

SUNDAY = datetime.date(2026, 11, 22)
TUESDAY = "2026-11-24"


def on_sunday() -> datetime.date:
    return SUNDAY


@pytest.fixture
def book(tmp_path: Path) -> AppointmentBook:
    return AppointmentBook(tmp_path / "deep" / "book.sqlite", clock=on_sunday)


def test_an_empty_day_has_every_slot(book: AppointmentBook) -> None:
    assert book.check_appointment_availability(TUESDAY, "cleaning") == {
        "date": TUESDAY,
        "service_type": "cleaning",
        "free_times": list(SLOTS),
        "message": "On Tuesday, November 24 there is 09:00 to 16:30.",
    }
    assert (SLOTS[0], SLOTS[-1], len(SLOTS)) == ("09:00", "16:30", 16)


def test_a_booking_is_a_row_with_a_confirmation(book: AppointmentBook) -> None:
    booked = book.book_appointment(TUESDAY, "10:00", " Ada  Lovelace ")
    assert booked["status"] == "booked"
    assert booked["message"] == (
        "Ada Lovelace is booked for a checkup on Tuesday, November 24 at 10:00."
    )
    assert book.bookings() == [
        {
            "confirmation_id": booked["confirmation_id"],
            "date": TUESDAY,
            "time": "10:00",
            "patient_name": "Ada Lovelace",
            "service_type": "checkup",
        }
    ]


def test_bookings_outlive_the_object(book: AppointmentBook) -> None:
    book.book_appointment("2026-11-25", "09:00", "Grace Hopper")
    book.book_appointment(TUESDAY, "16:30", "Ada Lovelace")
    again = AppointmentBook(book.path, clock=on_sunday)
    assert [row["patient_name"] for row in again.bookings()] == ["Ada Lovelace", "Grace Hopper"]


def test_a_taken_slot_is_refused_with_the_nearest_free_ones(book: AppointmentBook) -> None:
    for time in ("10:00", "10:30"):
        book.book_appointment(TUESDAY, time, "Ada Lovelace")
    assert book.book_appointment(TUESDAY, "10:00", "Grace Hopper") == {
        "error": "10:00 on Tuesday, November 24 is taken. Near it there is 09:00, 09:30 and 11:00.",
        "alternatives": ["09:00", "09:30", "11:00"],
    }
    assert len(book.bookings()) == 2


def test_a_full_day_says_so(book: AppointmentBook) -> None:
    for slot in SLOTS:
        assert "error" not in book.book_appointment(TUESDAY, slot, "Ada Lovelace")
    assert book.check_appointment_availability(TUESDAY) == {
        "error": "Tuesday, November 24 is full. The next free day is Wednesday, November 25.",
        "alternatives": ["2026-11-25"],
    }
    assert book.book_appointment(TUESDAY, "09:00", "Grace Hopper") == {
        "error": "09:00 on Tuesday, November 24 is taken. That day is full. The next free day is "
        "Wednesday, November 25.",
        "alternatives": ["2026-11-25"],
    }


@pytest.mark.parametrize(
    ("date", "words", "instead"),
    [
        ("2026-11-28", "On Saturday, November 28 we are closed", ["2026-11-30"]),
        (
            "2026-11-20",
            "Friday, November 20 is in the past. Today is Sunday, November 22. The next free day "
            "is Monday, November 23.",
            ["2026-11-23"],
        ),
        ("2026-02-30", "no day of the calendar", ["2026-11-23"]),
        ("9999-12-26", "On Sunday, December 26 we are closed", ["9999-12-27"]),
        ("9999-12-31", "full", []),
    ],
)
def test_a_day_that_can_not_be_booked_is_refused_with_the_next_one(
    book: AppointmentBook, date: str, words: str, instead: list[str]
) -> None:
    if words == "full":
        for slot in SLOTS:
            book.book_appointment(date, slot, "Grace Hopper")
    before = book.bookings()
    for refused in (
        book.check_appointment_availability(date),
        book.book_appointment(date, "10:00", "Ada Lovelace"),
    ):
        assert words in refused["error"]
        assert refused["alternatives"] == instead
    assert book.bookings() == before


def test_today_can_be_booked(tmp_path: Path) -> None:
    book = AppointmentBook(tmp_path / "b", clock=lambda: datetime.date(2026, 11, 24))
    assert book.book_appointment(TUESDAY, "10:00", "Ada Lovelace")["status"] == "booked"


@pytest.mark.parametrize(
    ("time", "near"),
    [
        ("08:30", ["09:00", "09:30", "10:00"]),
        ("17:00", ["15:30", "16:00", "16:30"]),
        ("10:15", ["09:30", "10:00", "10:30"]),
        ("25:00", ["15:30", "16:00", "16:30"]),
    ],
)
def test_only_slots_can_be_booked(book: AppointmentBook, time: str, near: list[str]) -> None:
    refused = book.book_appointment(TUESDAY, time, "Ada Lovelace")
    assert refused == {
        "error": f"No appointment starts at {time}. They start every 30 minutes from 09:00 to "
        f"16:30. Near it there is {near[0]}, {near[1]} and {near[2]}.",
        "alternatives": near,
    }
    assert book.bookings() == []


def test_a_blank_name_is_refused(book: AppointmentBook) -> None:
    assert "error" in book.book_appointment(TUESDAY, "10:00", "  ")


def test_of_many_threads_that_want_one_slot_exactly_one_gets_it(book: AppointmentBook) -> None:
    start = threading.Barrier(8)

    def attempt(number: int) -> bool:
        start.wait()
        return "error" not in book.book_appointment(TUESDAY, "10:00", f"Patient {number}")

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    assert len(book.bookings()) == 1


@settings(max_examples=30)  # each of many bookings is written to a disk
@given(taken=st.sets(st.sampled_from(SLOTS), max_size=15))
def test_free_and_taken_are_the_whole_day(
    tmp_path_factory: pytest.TempPathFactory, taken: set[str]
) -> None:
    book = AppointmentBook(tmp_path_factory.mktemp("book") / "b.sqlite", clock=on_sunday)
    for time in taken:
        book.book_appointment(TUESDAY, time, "Ada Lovelace")
    free = book.check_appointment_availability(TUESDAY)["free_times"]
    assert sorted([*free, *taken]) == list(SLOTS)


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be read as one" * 10)
    with pytest.raises(ConfigurationError, match=r"notes\.txt"):
        AppointmentBook(path)


def test_nothing_is_made_before_it_is_used(tmp_path: Path) -> None:
    book = AppointmentBook(tmp_path / "new" / "book.sqlite")
    book.tools()
    assert list(tmp_path.iterdir()) == []

    assert book.bookings() == []
    assert book.path.exists()


def test_a_folder_that_is_a_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="not a folder"):
        AppointmentBook(tmp_path / "file" / "book.sqlite")


async def test_the_tools_are_what_a_model_needs(book: AppointmentBook) -> None:
    check, make = book.tools()
    assert check.parameters["required"] == ["date"]
    assert make.parameters["required"] == ["date", "time", "patient_name"]
    assert make.parameters["properties"]["service_type"] == {
        "type": "string",
        "enum": list(SERVICES),
        "default": "checkup",
        "description": "The kind of appointment.",
    }
    arguments = {"date": TUESDAY, "time": "10:00", "patient_name": "Ada Lovelace"}
    result = await make.call(json.dumps(arguments))
    assert result.outcome == "ok"
    assert json.loads(result.output)["date"] == TUESDAY
    assert (await make.call(json.dumps({**arguments, "time": "ten"}))).outcome == "invalid"


def test_a_model_is_told_what_it_can_do(book: AppointmentBook) -> None:
    specs = [spec for one in book.tools() if (spec := read_tool(one.definition()))]
    assert [spec.description for spec in specs] == [
        "Check which appointment times are available on a day.",
        "Book an appointment for a patient.",
    ]
    can = "I can check appointment availability or book an appointment for a patient."
    assert offer(specs) == can


@given(
    orders=st.lists(
        st.tuples(st.sampled_from(["call_1", "call_2", "call_3"]), st.sampled_from(SLOTS[:3])),
        max_size=12,
    )
)
@settings(max_examples=30, deadline=None)
def test_a_call_books_once_however_often_it_is_run(orders: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        book = AppointmentBook(Path(folder) / "book.sqlite", clock=on_sunday)
        told: dict[str, set[str]] = {}
        for call_id, time in orders:
            result = book.book_appointment(TUESDAY, time, "Ada", call=ToolCall(call_id, "book"))
            if "confirmation_id" in result:
                told.setdefault(call_id, set()).add(result["confirmation_id"])
        assert all(len(bookings) == 1 for bookings in told.values())
        made = {row["confirmation_id"] for row in book.bookings()}
        assert made == {one for bookings in told.values() for one in bookings}


def test_a_call_that_runs_in_many_threads_books_once(book: AppointmentBook) -> None:
    def once(time: str) -> str:
        call = ToolCall("call_1", "book")
        return str(book.book_appointment(TUESDAY, time, "Ada", call=call).get("confirmation_id"))

    with ThreadPoolExecutor(8) as pool:
        told = set(pool.map(once, SLOTS[:8]))
    [row] = book.bookings()
    assert told == {row["confirmation_id"]}


def test_a_booking_that_was_cancelled_before_it_was_made_is_not_made(book: AppointmentBook) -> None:
    call = ToolCall("call_1", "book")
    call.stop("timeout")
    assert "error" in book.book_appointment(TUESDAY, "10:00", "Ada", call=call)
    assert book.bookings() == []


def test_the_model_is_not_told_of_the_call(book: AppointmentBook) -> None:
    [_, booking] = book.tools()
    assert set(booking.parameters["properties"]) == {
        *("date", "time", "patient_name", "service_type"),
    }
