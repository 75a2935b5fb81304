"""The pages as a site: navigation by kind, links into the repository, nothing fetched from elsewhere.

MkDocs takes its pages from ``docs/`` alone. README and the other texts beside it become pages too, and a
file that a page links to, such as one of ``configs/``, is copied into the site, so that every link works
there as it does in the repository. A built page that would load anything from another host is an error.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from journey_pages import with_notes
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
BESIDE = {
    "README.md": "index.md",
    **{n: n.lower() for n in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")},
}
"""Pages that stand beside ``docs/``, and what they are called in the site."""
SECTIONS = {
    "tutorial": "Tutorial",
    "journeys": "Journeys",
    "howto": "How to",
    "reference": "Reference",
    "decisions": "Decisions",
}
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\b(?:src|srcset)=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preload|preconnect|icon|dns-prefetch|prefetch|modulepreload|manifest))"""
    r"""[^>]*?\bhref=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|(?:url\(|@import\s+)["']?((?:https?:)?//[^"')\s]+)""",
    re.I,
)


def on_config(config: Any) -> Any:
    """Write the navigation: the pages of each kind by file name; a page's first line is its title."""
    docs = Path(config.docs_dir)
    unknown = {p.relative_to(docs).parts[0] for p in docs.glob("*/**/*.md")} - SECTIONS.keys()
    if unknown:
        raise PluginError(f"docs/{min(unknown)}/: no section for it in SECTIONS of docs/site_hooks.py")
    sections: list[dict[str, Any]] = [{"Home": "index.md"}]
    for folder, title in SECTIONS.items():
        found = sorted(p.relative_to(docs).as_posix() for p in (docs / folder).rglob("*.md"))
        sections.append({title: found})
    rest = sorted(p.name for p in docs.glob("*.md")) + sorted(set(BESIDE.values()) - {"index.md"})
    sections.append({"About": rest})
    config.nav = sections
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages beside ``docs/``, and the files of the repository that pages link to."""
    for name, uri in BESIDE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / name)))
    linked: set[str] = set()
    for file in files.documentation_pages():
        for _, target, _ in LINK.findall(file.content_string):
            path = _in_repository(file, target)
            if path and path not in BESIDE and not path.startswith("docs/"):
                linked |= {path} if (ROOT / path).is_file() else set()
    for path in sorted(linked):
        # A page of another folder, such as samples/README.md, is shown as the text it is.
        files.append(File.generated(config, _copied(path), content=(ROOT / path).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Say how a journey is tested, and point links at what they point at in the repository."""
    if page.file.src_uri.startswith("journeys/"):
        markdown = with_notes(markdown)

    def pointed(link: re.Match[str]) -> str:
        path = _in_repository(page.file, link[2])
        if path is None:
            return link[0]
        if path.startswith("docs/"):
            there = path.removeprefix("docs/")
        elif (ROOT / path).is_file():
            there = BESIDE.get(path) or _copied(path)
        else:
            return link[0]
        return link[1] + posixpath.relpath(there, posixpath.dirname(page.file.src_uri) or ".") + link[3]

    return LINK.sub(pointed, markdown)


def on_post_build(config: Any) -> None:
    """Fail when a page or a style sheet would load something from another host."""
    site = Path(config.site_dir)
    foreign = []
    for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        text = path.read_text(encoding="utf-8")
        loaded = {next(filter(None, found)) for found in LOADED.findall(text)}
        if 'class="mermaid"' in text:
            loaded.add("the program that draws mermaid diagrams")
        foreign += [f"{path.relative_to(site)} loads {address}" for address in sorted(loaded)]
    if foreign:
        raise PluginError("the site must work without a network: " + "; ".join(foreign))


def _in_repository(file: File, target: str) -> str | None:
    """The path from the repository's root that a link means; None for one that leads elsewhere."""
    if "://" in target or target.startswith(("mailto:", "/")):
        return None
    beside = dict.fromkeys(BESIDE.values(), "")
    folder = beside.get(file.src_uri, posixpath.join("docs", posixpath.dirname(file.src_uri)))
    path = posixpath.normpath(posixpath.join(folder, target))
    return None if path.startswith("..") else path


def _copied(path: str) -> str:
    return f"repository/{path}.txt" if path.endswith(".md") else f"repository/{path}"
