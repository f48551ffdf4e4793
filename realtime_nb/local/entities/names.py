"""Names of people and places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from realtime_nb.local.entities.found import Found, TextSpan, overlaps, pattern
from realtime_nb.local.spoken import MONTHS, SMALL_NUMBERS, WEEKDAYS, split_words

__all__ = ["find_names", "find_places", "title_name"]


_NAME_WORD = re.compile(r"[^\W\d_](?:\.(?=\s)|[^\W\d_]*(?:['’-][^\W\d_]+)*)")
_RELATION = r"""(?:my|our|his|her)\s+(?:\w+\s+)?(?:daughter|son|wife|husband|mother|father|mom|mum
    |dad|sister|brother|grandmother|grandfather|grandma|grandpa|child|boy|girl|kid|baby|partner|friend
    |colleague|boss|neighbou?r|aunt|uncle|niece|nephew|cousin|client|patient)(?![\w'])[\s,]*"""
_FOR_ANOTHER = pattern(rf"\bfor\s+{_RELATION}")
_INTRODUCED = pattern(
    r"""\b(?:(?:my|the|full|\w+'s|his|her|their)\s+(?:full\s+)?name(?:\s+is|'s|\s+was)
    |call\s+me|(?:under|in|on)\s+the\s+name(?:\s+of)?|(?:^|[.!?,;]\s*)name\s+is)[\s,:]+"""
)
_HINTED = pattern(
    rf"\b(?:(?:this\s+is|i\s?'?m|i\s+am|it'?s|it\s+is|for|under|as|(?:my|the)\s+name)\s+|{_RELATION})"
)
_PLACED = pattern(r"\b(?:in|at|for|to|from|near|of|into|around)\s+(?:the\s+city\s+of\s+)?")
_TITLES = split_words("dr doctor mr mister mrs ms miss professor")
_PARTICLES = split_words("van von der den de del della la le di da al bin ibn")
_NO_NAME = {
    *split_words(
        """a about actually after afternoon again all also am an and any anything appointment are as
        ask at available back be because been before book booking but by call called calling can
        can't cancel change check checkup cleaning come consultation could day did do doctor does
        don't done english evening everyone everything fine first for from free get give glad go
        going good great had has have he hello help her here hey hi him his hope how i i'd i'll i'm
        i've if in interested into is it it's its just know later like looking made make making man
        may me might mine monday month more morning much my name need never next nice night no noon
        not nothing now of off ok okay on one only open or our out over please possible question
        ready really right say says she should slot so some somebody someone something sorry
        speaking still stop sure table than thank thanks that that's the their them then there these
        they thing this those time to today tomorrow tonight too trying two under until up us very
        want was we week well were what when where which who why will wish with without would yes
        yet you you're your"""
    ),
    *SMALL_NUMBERS,
    *map(str.lower, WEEKDAYS),
}
_LEADING = pattern(
    r"""^(?:[\s,.!…]*\b(?:yes|yeah|yep|sure|okay|ok|um+|uh+|er+|well|oh|so|hi|hello|please|certainly
    |(?:my|the)\s+name(?:\s+is)?|my\s+name's|that\s+is|that's|that\s+would\s+be|it'?s|it\s+is|it\s+would\s+be
    |i\s+am|i'm|this\s+is|under|for|in|use|put|make\s+it)\b[\s,.:]*)+"""
)
_TRAILING = pattern(
    r"[\s,]*(?:\b(?:please|thanks|thank\s+you|speaking|here|would\s+be\s+(?:fine|good|great))\b)?[\s,.!?…]*$"
)


def find_names(text: str, ignore: Sequence[TextSpan] = (), asked: bool = False) -> list[Found[str]]:
    """Returns names of people: after "my name is", or capitalised after "this is", "I'm", "for".

    Somebody who gives their own name and speaks "for my daughter Lily" means Lily.

    Args:
        text: What was said.
        ignore: Places to leave out, such as those of dates.
        asked: The text answers "What name?", so it may be nothing but a name.
    """
    text = text.replace("’", "'")
    found = _names_after(_FOR_ANOTHER, text, ignore, strict=True)
    found = found or _names_after(_INTRODUCED, text, ignore, strict=False)
    found = found or _names_after(_HINTED, text, ignore, strict=True)
    if not found and asked:
        found = list(_answered_name(text, ignore))
    return found


def _names_after(
    introduction: re.Pattern[str], text: str, ignore: Sequence[TextSpan], strict: bool
) -> list[Found[str]]:
    names = (_name_at(text, match.end(), strict) for match in introduction.finditer(text))
    return [name for name in names if name and not overlaps(name.span, ignore)]


def _name_at(text: str, start: int, strict: bool, alone: bool = False) -> Found[str] | None:
    words: list[re.Match[str]] = []
    position = start
    while len(words) < 4 and (match := _NAME_WORD.match(text, position)):
        word = match[0].replace("’", "'")
        is_title = not words and word.lower().rstrip(".") in _TITLES
        if not is_title:
            if not _may_be_name(word, [] if alone else words, strict):
                break
            words.append(match)
        position = match.end() + (1 if is_title and text[match.end() :].startswith(".") else 0)
        gap = re.match(r"[ \t]+", text[position:])
        if not gap:
            break
        position += gap.end()
    while words and words[-1][0].lower() in _PARTICLES:
        words.pop()
    if not words or (len(words) == 1 and words[0][0].capitalize() in MONTHS):
        return None
    span = words[0].start(), words[-1].end()
    return Found(title_name(text[span[0] : span[1]]), *span)


def _may_be_name(word: str, before: Sequence[re.Match[str]], strict: bool) -> bool:
    if word.lower() in _NO_NAME or (before and word.capitalize() in MONTHS):
        return False
    if word[0].isupper():
        return True
    if word in _PARTICLES and before:
        return True
    return not strict and not (before and before[0][0][0].isupper())


def _answered_name(text: str, ignore: Sequence[TextSpan]) -> Iterator[Found[str]]:
    """Yields the stretch of an answer that is nothing but a name, if there is one."""
    position = 0
    for start, end in [*sorted(ignore), (len(text), len(text))]:
        for piece in re.finditer(r"[^,;!?]+", text[position:start]):
            inner = _strip_fillers(piece[0])
            if not inner:
                continue
            at = position + piece.start() + piece[0].index(inner)
            name = _name_at(text, at, strict=False, alone=True)
            if name and name.end == at + len(inner):
                yield name
        position = end


def _strip_fillers(text: str) -> str:
    return _TRAILING.sub("", _LEADING.sub("", text)).strip(" \t.,")


def title_name(name: str) -> str:
    """Returns a name with capitals: "ada o'brien" → "Ada O'Brien"; capitals that are there stay."""
    first, *others = name.replace("’", "'").split()
    keep = _PARTICLES if first != first.lower() else ()
    return " ".join(
        [_capitals(first), *(each if each in keep else _capitals(each) for each in others)]
    )


def _capitals(word: str) -> str:
    if word != word.lower():
        return word
    return re.sub(r"(?:^|(?<=['-]))[^\W\d_](?=\w|$|[.'-])", lambda m: m[0].upper(), word)


def find_places(
    text: str, ignore: Sequence[TextSpan] = (), asked: bool = False
) -> list[Found[str]]:
    """Returns names of places after a preposition; the whole answer when one was asked for."""
    found = [
        place
        for match in _PLACED.finditer(text)
        if (place := _name_at(text, match.end(), strict=not match[0].lower().startswith("in ")))
        and not overlaps(place.span, ignore)
    ]
    if not found and asked:
        found = list(_answered_name(text, ignore))
    return found
