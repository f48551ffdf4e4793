"""What a refused handshake means, and what to do about it."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import msgspec

__all__ = ["advice_on", "words_of"]

_MOST_CHARS = 300

_ADVICE = {
    400: "Check the URL and the model.",
    401: "Check the key.",
    403: "Check that the key may use this server and model.",
    404: "Check the path of the URL and the model's name.",
    407: "A proxy on the way wants a login; check HTTPS_PROXY.",
    408: "Try again.",
    410: "This address is not served any more; look for the new one.",
    426: "It wants another protocol than WebSocket there; check the URL.",
    429: "That is too many requests, or no quota left: wait, then try again.",
}


def advice_on(status: int, retry_after_s: float | None = None, location: str | None = None) -> str:
    """Returns what whoever wants to connect can do about an HTTP status.

    Args:
        status: instead of 101.
        retry_after_s: how long the server wants to be left alone.
        location: where a redirect points.
    """
    if 300 <= status < 400:
        target = _shown(location)
        if target is None:
            return "It redirects, but does not say where to; check the URL."
        return (
            f"It redirects to {target}. That is not followed, as your key would go there; if you "
            "trust it, give that URL."
        )
    if status == 429 and retry_after_s is not None:
        return f"That is too many requests: wait {retry_after_s:.0f} s, then try again."
    if status >= 500:
        return "The fault is on the server's side; try again later, or look at its log."
    if 200 <= status < 300:
        return "It answers as a web server and not with a WebSocket; check the URL."
    return _ADVICE.get(status, "Check the URL, the model and the key.")


def words_of(body: str) -> str:
    """Returns what a refusal's body says, without a full stop: an error's ``message`` where it is
    JSON; nothing of a web page, or of JSON that says nothing."""
    text = body.strip()
    if text[:1] in ("{", "["):
        text = _message(text)
    elif text[:1] == "<":
        text = ""
    text = " ".join(text.split())
    if len(text) > _MOST_CHARS:
        text = text[:_MOST_CHARS].rsplit(" ", 1)[0] + " …"
    return text.rstrip(". ")


def _message(text: str) -> str:
    try:
        told = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    told = told[0] if isinstance(told, list) and told else told
    for _ in range(3):  # {"error": {"message": …}}, {"error": …}, {"detail": …}
        if not isinstance(told, dict):
            break
        names = ("error", "message", "detail", "error_description", "title")
        told = next((told[name] for name in names if told.get(name)), "")
    return told if isinstance(told, str) else ""


def _shown(location: str | None) -> str | None:
    """Returns a redirect's target as a WebSocket URL, without its query, which may hold a key."""
    if not location or not location.strip():
        return None
    try:
        url = urlsplit(location.strip())
        host = url.netloc.rpartition("@")[2]
    except ValueError:
        return None
    scheme = {"https": "wss", "http": "ws"}.get(url.scheme, url.scheme)
    return urlunsplit((scheme, host, url.path, "", "")) or None
