"""What authors write in their docstrings, and what of it a model is told."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.tools.docstrings import Described, read

STYLES = {
    "google": """
        {text}

        Args:
            city (dict[str: int], optional): {city}
            unit_: {unit}

        Returns:
            words
        """,
    "google, other titles": """
        {text}

        Arguments:
            city: {city}

        Keyword Args:
            unit_ (Literal['a',
                'b']): {unit}

        Raises:
            ValueError: never
        """,
    "numpy": """
        {text}

        Parameters
        ----------
        city : {{"here", "there"}}, optional
            {city}

        Other Parameters
        -------------------
        unit_ : str, default "c"
            {unit}

        Returns
        -------
        str
            words

        Examples
        --------
        >>> find("Rome")
        """,
    "numpy, indented": """
        {text}

        Parameters
        ==========
          city
            {city}
          unit_: str
            {unit}
        """,
    "sphinx": """
        {text}

        :param dict[str, int] city: {city}
        :param unit_: {unit}
        :type unit_: str | None
        :returns: words
        :rtype: str
        :raises ValueError: never
        """,
    "sphinx, escaped": r"""
        {text}

        :parameter city: {city}
        :keyword str unit\_: {unit}
        """,
    "epytext": """
        {text}

        @param city: {city}
        @type city: C{{str}}
        @keyword unit_: {unit}
        @return: words
        """,
    "mixed": """
        {text}

        Args:
            city: {city}

        :param unit_: {unit}
        :return: words
        """,
}

TEXTS = {
    "one line": "Tells the weather.",
    "paragraphs": "Tells the weather\nof a city.\n\nNever guess:\n\n- ask\n  again",
    "markup": "Tells ``x`` of *y*.\n\n:class:`Place` is what comes back; see :func:`f`: there.",
    "a heading": "Usage\n=====\nNow and then.",
    "notes": "Tells.\n\nNote:\n    By day: never at night.",
}

WORDS = {
    "one line": "Where: in words (or not).",
    "wrapped": "Where the user\nlives now.",
    "a list": 'One of:\n- "fast": quick\n- "deep": exhaustive',
    "nested": "One of:\n- quick\n  as can be\n\n- slow",
    "markup": "A :class:`City`,\n:func:`f` makes it",
}


def filled(style: str, **words: str) -> str:
    """A docstring of this style; more lines of a description are indented below its first."""
    doc = inspect.cleandoc(style)
    for name, text in words.items():
        line = next(line for line in doc.split("\n") if f"{{{name}}}" in line)
        indent = len(line) - len(line.lstrip()) if name != "text" else 0
        further = " " * (indent if line.strip() == f"{{{name}}}" else indent + 4)
        doc = doc.replace(f"{{{name}}}", text.replace("\n", f"\n{further}").replace("{", "{{"))
    return doc.replace("{{", "{").replace("}}", "}")


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("style", STYLES)
def test_text_and_arguments_are_what_the_author_wrote(style: str, text: str, words: str) -> None:
    doc = filled(STYLES[style], text=TEXTS[text], city=WORDS[words], unit="Which scale.")
    read_text, arguments = read(doc).text, read(doc).arguments

    assert [line.rstrip() for line in read_text.split("\n")] == TEXTS[text].split("\n")
    assert arguments == {"city": WORDS[words], "unit_": "Which scale."}


@pytest.mark.parametrize("style", [name for name in STYLES if name not in ("numpy",)])
def test_text_after_the_sections_is_kept(style: str) -> None:
    doc = filled(STYLES[style], text="Tells.", city="Where.", unit="Scale.")

    assert read(f"{doc}\n\nNever guess.").text == "Tells.\n\nNever guess."


@pytest.mark.parametrize(
    ("doc", "text", "arguments"),
    [
        ("", "", {}),
        ("Tells. :param city: Where.", "Tells.", {"city": "Where."}),
        (
            "Tells. @param city: Where. @param str unit: Scale. @return: x",
            "Tells.",
            {"city": "Where.", "unit": "Scale."},
        ),
        ("\n    Args:\n        city: Where.\n    ", "", {"city": "Where."}),
        (
            "Args:\n        city: Where\n            now.\n        unit: Scale.\n    ",
            "",
            {"city": "Where\nnow.", "unit": "Scale."},
        ),
        ("Tells.\n:param city:Where it is.\n", "Tells.", {"city": "Where it is."}),
        (
            "Tells.\n:param city: Where the\nuser lives.\n:param unit: Scale.",
            "Tells.",
            {"city": "Where the\nuser lives.", "unit": "Scale."},
        ),
        (
            "Tells.\n\nArgs:\n    city: Where the\n    user lives.\n    unit: Scale.",
            "Tells.",
            {"city": "Where the\nuser lives.", "unit": "Scale."},
        ),
        (
            "Tells.\n\nArgs:\n    - city: Where.\n    * `unit`: Scale.\n    **more: Rest.",
            "Tells.",
            {"city": "Where.", "unit": "Scale.", "more": "Rest."},
        ),
        (
            "Tells.\n\nParameters\n----------\na, b : int\n    A side.\n*rest\n    More.",
            "Tells.",
            {"a": "A side.", "b": "A side.", "rest": "More."},
        ),
        (
            "Tells.\n\nNotes\n-----\nBy day.\n\nParameters\n----------\na : int\n    A side.",
            "Tells.\n\nNotes\n-----\nBy day.",
            {"a": "A side."},
        ),
        ("Tells.\n\nArgs:\n    city (str):\n    unit: Scale.", "Tells.", {"unit": "Scale."}),
        ("Tells.\n\nArgs:\n    None.", "Tells.", {}),
        ("Tells.\n\n\tArgs:\n\t\tcity: Where.", "Tells.", {"city": "Where."}),
    ],
)
def test_shapes_that_people_write(doc: str, text: str, arguments: dict[str, str]) -> None:
    assert read(doc) == Described(text, arguments)


LISTS = {
    "bullets at the margin": "Args:\n- city: Where\n  it is.\n- unit: Scale.",
    "backticks and dashes": "Parameters:\n* `city` - Where\n  it is.\n* `unit` – Scale.",
    "dashes": "Args:\n    city - Where\n        it is.\n    unit - Scale.",
    "bold title": "**Args:**\n    city: Where\n        it is.\n    unit: Scale.",
    "heading": "## Parameters\n- **city**: Where\n  it is.\n- **unit** (str): Scale.",
    "heading, an empty line": "### Arguments\n\n- **city:** Where\n  it is.\n- **unit:** Scale.",
    "JSDoc": "@param {string} city - Where\n    it is.\n@param {string} [unit=c] - Scale.",
}


@pytest.mark.parametrize("form", LISTS)
def test_lists_in_markdown(form: str) -> None:
    for end, text in (("", "Tells."), ("\n\nNever guess.", "Tells.\n\nNever guess.")):
        described = read(f"Tells.\n\n{LISTS[form]}{end}")

        assert described.text == text
        assert described.arguments == {"city": "Where\nit is.", "unit": "Scale."}


def test_a_list_inside_an_entry_is_a_part_of_it() -> None:
    doc = "Tells.\n\nArgs:\n    city: One of\n        - bonn: small\n        - rome - large\n"
    assert read(doc).arguments == {"city": "One of\n- bonn: small\n- rome - large"}


@pytest.mark.parametrize(
    "doc",
    [
        "Tells:\n- this: so\n- that: so",
        "**Tells** all.\n- this: so",
        "## Usage\n- city: so",
        "Tells @param people about `:param x: y` things: see the page.",
        "Tells what is said in\nReturns:\nnothing else.",
        "Tells.\n\nArgs:\n    whatever comes",
        "Tells, for\nexample:\n    this",
        ":class:`Place` is told.",
        "@everybody reads this.",
    ],
)
def test_what_only_looks_like_a_section_is_text(doc: str) -> None:
    assert read(doc) == Described(doc, {})


LINES = st.sampled_from(
    [
        *(
            "Args:",
            "Returns:",
            "Parameters",
            "----------",
            ":param x: y",
            ":param",
            "@param x y z: w",
        ),
        *("    x: y", "    x (int", "x : int", "", "  ", ":", "@", "    ", "\tz", ":x:", "- x:"),
    ]
)


@given(st.one_of(st.text(), st.lists(LINES).map("\n".join)))
def test_any_docstring_can_be_read(doc: str) -> None:
    assert isinstance(read(doc), Described)
