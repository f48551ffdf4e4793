"""An appointment book to practise function calls on: a small practice with real, bookable slots.

::

    book = AppointmentBook("appointments.sqlite")
    agent = rt.Agent("local", tools=book.tools())

It is open Monday to Friday from 09:00 to 17:00, in slots of 30 minutes; one booking per slot.
"""

from __future__ import annotations

import datetime
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from realtime_nb.errors import ConfigurationError
from realtime_nb.tools import Tool, ToolCall, tool

__all__ = ["SERVICES", "AppointmentBook", "Service"]

Service = Literal["checkup", "cleaning", "consultation", "treatment"]
SERVICES: tuple[str, ...] = get_args(Service)

Day = Annotated[str, Field(description="The day, as YYYY-MM-DD.", pattern=r"^\d{4}-\d\d-\d\d$")]
Time = Annotated[
    str, Field(description="When it starts, as HH:MM (24 hours).", pattern=r"^\d\d:\d\d$")
]
Name = Annotated[str, Field(description="Full name of the patient.", min_length=1, max_length=100)]

SLOT_MINUTES = 30
SLOTS = tuple(f"{hour:02}:{minute:02}" for hour in range(9, 17) for minute in (0, SLOT_MINUTES))
ALTERNATIVES = 3
LOOK_AHEAD_DAYS = 28
_FRIDAY = 4

_TABLE = """
CREATE TABLE IF NOT EXISTS appointments (
    confirmation_id TEXT PRIMARY KEY,
    date TEXT NOT NULL,
    time TEXT NOT NULL,
    patient_name TEXT NOT NULL,
    service_type TEXT NOT NULL,
    UNIQUE (date, time)
)
"""

_CALLS_TABLE = """
CREATE TABLE IF NOT EXISTS calls (
    call_id TEXT PRIMARY KEY,
    confirmation_id TEXT NOT NULL
)
"""
"""Which call made which booking: the key that keeps one from being made twice."""


class AppointmentBook:
    """Appointments in an SQLite file. Any number of threads and processes may use one file.

    Args:
        path: The file; if it isn't there, it is made, with its folder, when it is first used.
        clock: What day it is today; tests and recorded lessons set it.

    Raises:
        ConfigurationError: The file can't be opened or is no appointment book.
    """

    def __init__(
        self, path: str | Path, clock: Callable[[], datetime.date] = datetime.date.today
    ) -> None:
        self.path = Path(path)
        self.clock = clock
        try:
            if self.path.exists():
                with self._database():
                    pass
            else:
                _check_folder(self.path.parent)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"{self.path} can't be used as an appointment book ({error}). Give another path."
            ) from error

    def tools(self) -> list[Tool]:
        """Returns the two functions that an agent may call."""
        # A model is told what to do, and the rule-based agent says it: "I can book …".
        return [
            tool(description="Check which appointment times are available on a day.")(
                self.check_appointment_availability
            ),
            tool(description="Book an appointment for a patient.")(self.book_appointment),
        ]

    def check_appointment_availability(
        self, date: Day, service_type: Service = "checkup"
    ) -> dict[str, Any]:
        """Checks which appointment times are available on a day.

        Args:
            service_type: The kind of appointment.
        """
        closed = self._closed(date)
        if closed:
            return self._refused_day(closed, date)
        free = self._free(date)
        if not free:
            return self._refused_day(f"{_spoken_day(date)} is full.", date)
        return {
            "date": date,
            "service_type": service_type,
            "free_times": free,
            "message": f"On {_spoken_day(date)} there is {_spoken_times(free)}.",
        }

    def book_appointment(
        self,
        date: Day,
        time: Time,
        patient_name: Name,
        service_type: Service = "checkup",
        call: ToolCall | None = None,
    ) -> dict[str, Any]:
        """Books an appointment for a patient.

        What a call has booked it has booked: run again with the same ``call``, it returns that.

        Args:
            service_type: The kind of appointment.
        """
        call_id = (call.id if call else "") or None
        if booked := self._booked_by(call_id):
            return _confirmed(booked)
        name = " ".join(patient_name.split())
        if closed := self._closed(date):
            return self._refused_day(closed, date)
        if no_slot := _no_slot(time):
            return self._refused_time(no_slot, date, time)
        if not name:
            return {"error": "A name is needed."}
        if call is not None and call.cancelled:  # the model has been told that it failed
            return {"error": "The booking was cancelled."}
        row = {
            "confirmation_id": secrets.token_hex(4).upper(),
            "date": date,
            "time": time,
            "patient_name": name,
            "service_type": service_type,
        }
        try:
            with self._database() as database:
                database.execute(
                    "INSERT INTO appointments VALUES "
                    "(:confirmation_id, :date, :time, :patient_name, :service_type)",
                    row,
                )
                if call_id:  # in one transaction with the booking: there are both, or neither
                    booking = (call_id, row["confirmation_id"])
                    database.execute("INSERT INTO calls VALUES (?, ?)", booking)
        except sqlite3.IntegrityError:
            if booked := self._booked_by(call_id):
                return _confirmed(booked)
            taken = f"{time} on {_spoken_day(date)} is taken."
            return self._refused_time(taken, date, time)
        return _confirmed(row)

    def bookings(self) -> list[dict[str, str]]:
        """Returns every appointment, earliest first."""
        with self._database() as database:
            rows = database.execute("SELECT * FROM appointments ORDER BY date, time")
            return [dict(row) for row in rows]

    def _booked_by(self, call_id: str | None) -> dict[str, str] | None:
        """Returns what a call has booked before."""
        with self._database() as database:
            row = database.execute(
                "SELECT appointments.* FROM appointments JOIN calls USING (confirmation_id) "
                "WHERE call_id = ?",
                (call_id,),
            ).fetchone()
        return None if row is None else dict(row)

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        # One connection per use: calls come from many threads, and none is left open.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=10.0)
        connection.row_factory = sqlite3.Row
        try:
            with connection:
                connection.execute(_TABLE)
                connection.execute(_CALLS_TABLE)
                yield connection
        finally:
            connection.close()

    def _closed(self, date: str) -> str:
        """Returns why nothing can be booked on this day, or "" if it can."""
        try:
            day = datetime.date.fromisoformat(date)
        except ValueError:
            return f"{date} is no day of the calendar. Dates are YYYY-MM-DD."
        today = self.clock()
        if day < today:
            return f"{_spoken_day(date)} is in the past. Today is {_spoken_day(today.isoformat())}."
        if day.weekday() > _FRIDAY:
            return f"On {_spoken_day(date)} we are closed. We are open Monday to Friday."
        return ""

    def _free(self, date: str) -> list[str]:
        with self._database() as database:
            rows = database.execute("SELECT time FROM appointments WHERE date = ?", (date,))
            taken = {row["time"] for row in rows}
        return [slot for slot in SLOTS if slot not in taken]

    def _refused_time(self, reason: str, date: str, time: str) -> dict[str, Any]:
        """Returns a refusal with the free times of the day that are nearest."""
        free = sorted(
            self._free(date), key=lambda slot: (abs(_minutes(slot) - _minutes(time)), slot)
        )
        if not free:
            return self._refused_day(f"{reason} That day is full.", date)
        near = sorted(free[:ALTERNATIVES])
        return {"error": f"{reason} Near it there is {_joined(near)}.", "alternatives": near}

    def _refused_day(self, reason: str, date: str) -> dict[str, Any]:
        """Returns a refusal with the next day that has a free time."""
        day = self._next_free_day(date)
        if not day:
            return {"error": reason, "alternatives": []}
        return {
            "error": f"{reason} The next free day is {_spoken_day(day)}.",
            "alternatives": [day],
        }

    def _next_free_day(self, date: str) -> str:
        today = self.clock()
        try:
            start = max(datetime.date.fromisoformat(date), today)
        except ValueError:
            start = today
        try:
            last = (start + datetime.timedelta(days=LOOK_AHEAD_DAYS)).toordinal()
        except OverflowError:
            last = datetime.date.max.toordinal()
        ahead = map(datetime.date.fromordinal, range(start.toordinal(), last + 1))
        open_days = (day.isoformat() for day in ahead if day.weekday() <= _FRIDAY)
        return next((day for day in open_days if self._free(day)), "")


def _confirmed(row: dict[str, str]) -> dict[str, Any]:
    service, day, time = row["service_type"], _spoken_day(row["date"]), row["time"]
    message = f"{row['patient_name']} is booked for a {service} on {day} at {time}."
    return {"status": "booked", **row, "message": message}


def _check_folder(folder: Path) -> None:
    """Raises OSError where no file could be made in a folder that may still have to be made."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"{there} may not be written to")


def _no_slot(time: str) -> str:
    if time in SLOTS:
        return ""
    return (
        f"No appointment starts at {time}. They start every {SLOT_MINUTES} minutes from "
        f"{SLOTS[0]} to {SLOTS[-1]}."
    )


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])


def _spoken_day(date: str) -> str:
    day = datetime.date.fromisoformat(date)
    return f"{day:%A}, {day:%B} {day.day}"


def _spoken_times(times: list[str]) -> str:
    """Returns times as runs: "09:00 to 10:30 and 12:00"; a long list is tiring to hear."""
    runs: list[list[str]] = []
    for time in times:
        if runs and _minutes(time) - _minutes(runs[-1][-1]) == SLOT_MINUTES:
            runs[-1].append(time)
        else:
            runs.append([time])
    return _joined([part for run in runs for part in _run(run)])


def _joined(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _run(times: list[str]) -> list[str]:
    return [f"{times[0]} to {times[-1]}"] if len(times) > 2 else times
