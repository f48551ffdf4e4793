"""Puts the tutorials into the documentation site, as the files that they are.

Used by mkdocs.yml. Pages link to ``../notebooks/…``, which is right in the repository; in the site
they lie below it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the notebooks."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_kwargs: Any) -> str:
    """Lets a page's links lead to them."""
    return markdown.replace("](../notebooks/", "](notebooks/")
