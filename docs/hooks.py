"""Equations become MathML when the site is built, and examples in docstrings become code."""

from __future__ import annotations

import html
import re
from typing import Any

from griffe import Extension
from latex2mathml.converter import convert


def on_config(config: Any) -> Any:
    """Add the fence to the Markdown extension that knows fences."""
    fence = {"name": "math", "class": "math", "format": _mathml}
    config["mdx_configs"].setdefault("pymdownx.superfences", {})["custom_fences"] = [fence]
    return config


def on_page_content(content: str, **_: Any) -> str:
    """Turn what the extension ``arithmatex`` has marked into MathML."""
    marked = r'<span class="arithmatex">\\\((.*?)\\\)</span>'
    return re.sub(marked, lambda found: convert(html.unescape(found[1])), content, flags=re.DOTALL)


def _mathml(source: str, *_: Any, **__: Any) -> str:
    """One equation a line."""
    lines = [line for line in source.splitlines() if line.strip()]
    return "".join(f"<p>{convert(line, display='block')}</p>" for line in lines)


class Examples(Extension):
    """Rename "Example:" in docstrings: the parser of Google's style renders only "Examples:" as code."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        """Rename the heading in one docstring."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
