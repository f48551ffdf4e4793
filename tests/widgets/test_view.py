from __future__ import annotations

from collections.abc import Iterator

import pytest

from realtime_nb.errors import ConfigurationError
from realtime_nb.widgets.view import MAX_UNSEEN, Outgoing, View
from tests.widgets.pages import ListeningPage, ToldSession


class Counter(View):
    """Shows a number."""

    _esm = "export default {}"

    def __init__(self, **settings: object) -> None:
        self.number = 0
        self.asked: list[object] = []
        super().__init__(**settings)

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        yield {"kind": "number", "number": self.number, "afresh": afresh}, ()

    def _answer(self, request: dict[str, object]) -> Iterator[Outgoing]:
        self.asked.append(request["kind"])
        yield {"kind": "answer"}, ()


@pytest.fixture
def counter() -> Iterator[Counter]:
    widget = Counter()
    yield widget
    widget.close()


def test_nothing_is_sent_before_a_page_asks(counter: Counter) -> None:
    page = ListeningPage(counter)
    assert page.take() == []
    page.say("show")
    assert [message["afresh"] for message in page.take()] == [True]
    assert [message["afresh"] for message in page.take()] == [False]


def test_requests_are_answered_when_it_sends_and_in_order(counter: Counter) -> None:
    page = ListeningPage(counter)
    page.say("show")
    page.say("fetch")
    page.say("click")
    assert counter.asked == []
    assert [message["kind"] for message in page.take()] == ["answer", "answer", "number"]
    assert counter.asked == ["fetch", "click"]


def test_a_page_that_is_gone_gets_nothing_and_one_that_returns_everything(
    counter: Counter,
) -> None:
    page = ListeningPage(counter)
    page.say("show")
    sent = sum(len(page.take()) for _ in range(2 * MAX_UNSEEN))
    assert sent == MAX_UNSEEN + 1
    page.say("seen")
    assert [message["afresh"] for message in page.take()] == [True]


def test_a_page_that_confirms_goes_on_getting(counter: Counter) -> None:
    page = ListeningPage(counter)
    page.say("show")
    for number in range(2 * MAX_UNSEEN):
        assert len(page.take()) == 1
        if number % 50 == 0:
            page.say("seen")


def test_an_unknown_setting_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="colour"):
        Counter(colour="red")


def test_what_is_shown_is_in_no_state(counter: Counter) -> None:
    counter.number = 123_456_789
    assert "123456789" not in str(counter.get_state())


class Refusing(Counter):
    """Can't show what it is given, and says so before it is a widget."""

    def __init__(self) -> None:
        raise ConfigurationError("no times")


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_one_that_was_refused_ends_without_a_further_error() -> None:
    made = Refusing.__new__(Refusing)
    with pytest.raises(ConfigurationError, match="no times"):
        made.__init__()  # type: ignore[misc]
    made.close()


def test_what_is_saved_follows_what_is_shown(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(counter._stand_in, "refresh_soon", lambda: asked.append(counter.number))
    counter.number = 7
    counter.flush()  # also where no page looks
    assert asked == [7]


def test_a_view_says_what_it_cannot_show_to_every_page(counter: Counter) -> None:
    page = ListeningPage(counter)
    counter._note_that("It was not kept.")
    page.say("show")
    assert [message["kind"] for message in page.take()] == ["note", "number"]
    assert [message["kind"] for message in page.take()] == ["number"]


def notes(page: ListeningPage) -> list[str]:
    return [message["words"] for message in page.take() if message["kind"] == "note"]


def test_a_note_goes_from_the_page_when_it_does_not_hold_any_more(counter: Counter) -> None:
    page = ListeningPage(counter)
    page.say("show")
    assert notes(page) == []  # there was none
    for words in ("Press Connect.", "Heard: 40 %", ""):
        counter._note_that(words)
        assert notes(page) == [words]
    page.say("show")
    assert notes(page) == []  # and now there is none
    counter._note_that("Press Connect.")
    assert notes(page) == ["Press Connect."]


def test_what_is_followed_takes_the_place_of_a_note(counter: Counter) -> None:
    page = ListeningPage(counter)
    page.say("show")
    counter._note_that("It was not kept.")
    assert notes(page) == ["It was not kept."]
    session = ToldSession()
    counter.follow(session)
    assert notes(page) == [""]
    assert counter._note == ""  # nor in its summary
    assert session.observers == [counter]


def test_a_note_that_went_while_nobody_listened_is_gone_for_a_page_that_returns(
    counter: Counter,
) -> None:
    page = ListeningPage(counter)
    counter._note_that("Press Connect.")
    page.say("show")
    for _ in range(MAX_UNSEEN + 2):
        page.take()
    counter._note_that("")
    assert page.take() == []
    page.say("seen")
    assert notes(page) == [""]
