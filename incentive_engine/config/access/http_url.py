"""URLs of HTTP that somebody names: receivers of findings, services to ask."""

from __future__ import annotations

from urllib.parse import urlsplit

from incentive_engine.errors import ConfigError, Fault


def refuse_other_url(url: str, *, where: str) -> None:
    """Refuse what is no URL of HTTP with a host and a port that there can be.

    Raises
    ------
    ConfigError
        When it is none.
    """
    if not _is_http(url):
        raise ConfigError(Fault(where, "is no URL of HTTP", "such as https://host/path"))


def _is_http(url: str) -> bool:
    """Whether a URL is of HTTP, with a host and a port that there can be.

    >>> [_is_http(url) for url in ("http://a:80/x", "http://a:x/", "http://[::1", "http://a/b c")]
    [True, False, False, False]
    >>> [_is_http(url) for url in ("ftp://a", "a", "http://a..b")]
    [False, False, False]
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")  # as it is looked up
        reachable = bool(host) and parts.port != 0
    except ValueError:  # a port that is no number or too large, brackets that never close
        return False
    return parts.scheme in {"http", "https"} and reachable and " " not in url and url.isprintable()
