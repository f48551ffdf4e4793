"""What responses took in and gave out, in tokens and in money."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from realtime_nb.plots import style
from realtime_nb.protocol.words import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["plot_cost", "plot_usage"]

_CACHED_ALPHA = 0.5
_MOST_EDGED_BARS = 100
"""More bars than this touch each other, or their gaps would be all that is seen."""
_FEWEST_PLACES = 6
"""Fewer bars leave room beside them, or they would be walls."""
_COUNT_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)

_TURNS_SHARE = 0.5
"""Of the height, from below, that what each turn cost has; what all cost is above it."""

Numbers = npt.NDArray[np.float64]


@style.on_any_page
def plot_usage(usage: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draws the tokens of each response, one on top of the other, and the growth of the context.

    From below: the input that came from the cache (faint) and the fresh one, text and audio each,
    up to the line, which is the whole input; above it the output. What a server doesn't split is
    grey.

    Args:
        usage: Columns as in :func:`realtime_nb.analysis.tables.usage`.
        ax: Where to draw; without it, a new figure.
    """
    ax = style.axes_or_new(ax, 2.2)
    counted = usage[usage["input_tokens"].notna() | usage["output_tokens"].notna()]
    places = np.arange(1, len(counted) + 1, dtype=float)
    bottoms = np.zeros(len(counted))
    context = counted["input_tokens"].fillna(0).to_numpy(float)
    handles: list[Artist] = []
    for name, tokens, colour, alpha in _stack(counted):
        if tokens.any():
            handles.append(_draw_bars(ax, places, bottoms, tokens, name, colour, alpha))
        bottoms += tokens
    _limit(ax, len(counted), float(bottoms.max(initial=0.0)))
    if len(counted):
        handles.append(_draw_context(ax, context))
    _dress(ax, "response", "tokens")
    ax.yaxis.set_major_formatter("{x:,.0f}")
    if not len(counted):
        style.nothing(ax, "no response told its usage" if len(usage) else "no responses")
    style.settle(ax)
    _count(ax, places)
    style.legend_above(ax, handles[::-1], columns=8)
    missing = len(usage) - len(counted) if len(counted) else 0
    style.caption(ax, [_growth_words(context), _uncounted(missing)])
    return ax


def _stack(usage: pd.DataFrame) -> list[tuple[str, Numbers, str, float]]:
    """Returns (name, tokens, colour, opacity) from the lowest; they add up to all tokens."""

    def tokens(column: str) -> Numbers:
        return usage[column].fillna(0).to_numpy(float)

    cached = {kind: tokens(f"cached_{kind}_tokens") for kind in ("text", "audio")}
    # Of a cache that isn't told apart by modality, neither is what is left.
    split = np.abs(cached["text"] + cached["audio"] - tokens("cached_tokens")) < 0.5
    cached = {kind: np.where(split, part, 0.0) for kind, part in cached.items()}
    fresh = {
        kind: np.where(split, np.clip(tokens(f"input_{kind}_tokens") - cached[kind], 0, None), 0.0)
        for kind in ("text", "audio")
    }
    output = {kind: tokens(f"output_{kind}_tokens") for kind in ("text", "audio")}
    inputs = sum(cached.values()) + sum(fresh.values())
    other_input = np.clip(tokens("input_tokens") - inputs, 0, None)
    other_output = np.clip(tokens("output_tokens") - sum(output.values()), 0, None)
    text, audio = style.USER_COLOUR, style.CALL_COLOUR
    return [
        ("cached text", cached["text"], text, _CACHED_ALPHA),
        ("cached audio", cached["audio"], audio, _CACHED_ALPHA),
        ("other input", other_input, style.NEUTRAL_COLOUR, 0.6),
        ("text in", fresh["text"], text, 1.0),
        ("audio in", fresh["audio"], audio, 1.0),
        ("text out", output["text"], style.ERROR_COLOUR, 1.0),
        ("audio out", output["audio"], style.AGENT_COLOUR, 1.0),
        ("other output", other_output, style.NEUTRAL_COLOUR, 1.0),
    ]


def _draw_bars(
    ax: Axes,
    places: Numbers,
    bottoms: Numbers,
    heights: Numbers,
    name: str,
    colour: str,
    alpha: float = 1.0,
) -> Artist:
    half_width = 0.38 if len(places) <= _MOST_EDGED_BARS else 0.5
    return style.bars(
        ax,
        places - half_width,
        places + half_width,
        bottoms,
        bottoms + heights,
        facecolors=colour,
        alpha=alpha,
        label=name,
    )


def _draw_context(ax: Axes, context: Numbers) -> Artist:

    edges = np.arange(len(context) + 1) + 0.5
    return ax.stairs(
        context,
        edges,
        baseline=None,
        color=style.ink(),
        linewidth=1.1,
        label="context (all input)",
    )


def _growth_words(context: Numbers) -> str:
    if len(context) < 2:
        return ""
    slope = round(float(np.polyfit(np.arange(len(context)), context, 1)[0]))
    growth = f"{slope:+,} per response on average" if slope else "no growth on average"
    return (
        f"Context: {context[0]:,.0f} tokens in the first response, {context[-1]:,.0f} in the last; "
        f"{growth}."
    )


def _uncounted(count: int) -> str:
    return f"Of {counted(count, 'response')} the server told no usage." if count else ""


# --- cost -----------------------------------------------------------------------------------------


@style.on_any_page
def plot_cost(costs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draws what each turn cost and, above it on an axis at the right, what the session cost up to
    then.

    Args:
        costs: Columns ``turn``, ``kind`` (``response`` or ``transcription``), ``usd`` and, if
            there, ``model`` and ``reason``. What belongs to no turn stands at 0. Rows whose ``usd``
            is NaN are not counted; the picture names their models.
        ax: Where to draw; without it, a new figure.
    """
    ax = style.axes_or_new(ax, 2.6)
    priced = costs[costs["usd"].notna()]
    turns = priced["turn"].fillna(0).to_numpy(float)
    first = float(turns.min(initial=1.0))
    places = np.arange(first, turns.max(initial=1.0) + 1)
    bottoms = np.zeros(len(places))
    handles: list[Artist] = []
    for kind, colour in (
        ("response", style.AGENT_COLOUR),
        ("transcription", style.USER_COLOUR),
    ):
        rows = (priced["kind"] == kind).to_numpy(bool)
        usd = np.zeros(len(places))
        np.add.at(usd, (turns[rows] - first).astype(int), priced["usd"].to_numpy(float)[rows])
        if rows.any():
            handles.append(_draw_bars(ax, places, bottoms, usd, f"{kind}s", colour))
        bottoms += usd
    highest = 1.15 * float(bottoms.max(initial=0.0))
    _limit(ax, len(places), highest / _TURNS_SHARE, first)
    _dress(ax, "turn", "USD per turn")
    if not len(priced):
        style.nothing(ax, _why_no_price(costs) if len(costs) else "nothing that costs anything")
        return ax
    ax.yaxis.set_major_formatter(_money(highest))
    _keep_ticks(ax, 0.0, highest)
    ax.yaxis.label.set(ha="left")
    ax.yaxis.label.set_y(0.0)
    so_far = _draw_cumulative(ax, places, np.cumsum(bottoms))
    style.settle(ax)
    _count(ax, places)
    style.legend_above(ax, [*handles, so_far])
    style.caption(ax, [_assumption(costs), _unpriced(costs[costs["usd"].isna()])])
    return ax


def _draw_cumulative(ax: Axes, places: Numbers, cumulative_usd: Numbers) -> Artist:
    ink = style.ink()
    right = ax.twinx()
    (line,) = right.step(
        np.append(places - 0.5, places[-1] + 0.5),
        np.append(0.0, cumulative_usd),
        where="pre",
        color=ink,
        linewidth=1.3,
        label="so far (right axis)",
    )
    total_usd = float(cumulative_usd[-1])
    # Above the bars, on which it could hardly be seen.
    reach_usd = max(total_usd * 1.2, 1e-9)
    right.set_ylim(-reach_usd * (_TURNS_SHARE + 0.05) / (0.95 - _TURNS_SHARE), reach_usd)
    right.set_ylabel("USD so far", ha="right", y=1.0)
    right.yaxis.set_major_formatter(_money(total_usd))
    _keep_ticks(right, 0.0, reach_usd)
    for side in ("top", "left", "bottom"):
        right.spines[side].set_visible(False)
    right.annotate(
        f"{_money(total_usd / 10)(total_usd, 0)} in all",
        (places[-1] + 0.5, total_usd),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize="small",
    )
    return line


def _keep_ticks(ax: Axes, low: float, high: float) -> None:
    """Leaves the ticks of a part of the upright axis."""
    from matplotlib.ticker import MaxNLocator

    ax.set_yticks(
        [
            tick
            for tick in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
            if low <= tick <= high
        ]
    )


def _money(highest_usd: float) -> Callable[[float, float], str]:
    """Returns how to write sums up to so much: with cents, or as many digits as small ones need."""
    digits = 2 if highest_usd <= 0 else max(2, 1 - math.floor(math.log10(highest_usd)))
    return lambda usd, _position: f"${usd:,.{digits}f}"


def _why_no_price(unpriced: pd.DataFrame) -> str:
    """Returns what is not known, and what to pass for it."""
    reasons = [
        reason for reason in _price_reasons(unpriced) if not reason.startswith("no price is")
    ]
    because = f" ({'; '.join(reasons)})" if reasons else ""
    return (
        f"No price is known for {_models(unpriced)}{because}.\n"
        'Pass model="gpt-realtime" to price it as that model, or your own table as prices={…}.'
    )


def _assumption(costs: pd.DataFrame) -> str:
    text = str(costs.attrs.get("assumption") or "")
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _unpriced(costs: pd.DataFrame) -> str:
    if costs.empty:
        return ""
    kinds = [
        counted(int((costs["kind"] == kind).sum()), kind)
        for kind in ("response", "transcription")
        if (costs["kind"] == kind).any()
    ]
    because = f" ({'; '.join(_price_reasons(costs))})" if _price_reasons(costs) else ""
    return f"Not counted, without a price for {_models(costs)}: {', '.join(kinds)}{because}."


def _models(costs: pd.DataFrame) -> str:
    names = sorted({str(name) for name in costs["model"].dropna()}) if "model" in costs else []
    return ", ".join(names) or "an unknown model"


def _price_reasons(costs: pd.DataFrame) -> list[str]:
    return sorted(set(costs["reason"].dropna())) if "reason" in costs else []


# --- both -----------------------------------------------------------------------------------------


def _limit(ax: Axes, count: int, highest: float, first: float = 1.0) -> None:
    middle, reach = first + (count - 1) / 2, max(count, _FEWEST_PLACES) / 2 + 0.1
    ax.set_xlim(middle - reach, middle + reach)
    ax.set_ylim(0, highest * 1.08 or 1.0)


def _dress(ax: Axes, x_label: str, y_label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    style.strip_frame(ax, grid="y")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)


def _count(ax: Axes, places: Numbers) -> None:
    """Writes the numbers of the bars that are there, as many as there is room for."""
    import matplotlib.pyplot as plt

    if not len(places):
        return
    digits = len(f"{places[-1]:.0f}")
    tick_px = (digits + 2) * style.letter_px(ax, plt.rcParams["font.size"])
    most = max(2.0, style.size_px(ax)[0] / tick_px)
    step = next((step for step in _COUNT_STEPS if np.ptp(ax.get_xlim()) / step <= most), 1_000)
    shown = [place for place in places if place % step == 0]
    ax.set_xticks(shown, [f"{place:.0f}" for place in shown])
