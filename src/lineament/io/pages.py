"""The one way to make an HTML page: all text escaped and visible, nothing fetched, nothing run.

Templates of pages that are kept as files begin with ``{{ head }}`` within ``<html>``. Whatever a template
prints goes through `lineament.io.names.shown` and is escaped for HTML; only macros of the template itself
are markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from lineament.counting import quantity
from lineament.io.names import shown
from lineament.io.own_files import GENERATOR

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser lets a page do: show what stands in it. Pages are files, so it stands in them, too."""

_HEAD = f"""<meta charset="utf-8">
{GENERATOR}
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">"""


def page(package: str, template: str, values: Mapping[str, Any]) -> str:
    """A page of a template that lies in a package, as text that needs nothing else."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        if isinstance(value, (Markup, int, float)):
            return value
        return shown(str(value), limit=None)

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=finalize
    )
    environment.filters["figure"] = _number
    environment.filters["quantity"] = quantity
    environment.filters["urlencode"] = _address
    source = files(package).joinpath(template).read_text("utf-8")
    return environment.from_string(source).render(values, head=Markup(_HEAD))


def _address(path: str) -> str:
    """A path as a link, whatever bytes are in it; never one with a scheme."""
    return quote(path, safe="/", errors="surrogatepass")


def _number(value: float) -> str:
    """Four significant digits, without the exponent where that is readable."""
    return f"{value:.4g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.2e}"
