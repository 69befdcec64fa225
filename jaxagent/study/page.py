"""The frame of a report: the page around its sections, its style, and the boxes they are made
of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from jaxagent.study.labels import short_label


def document(title: str, header: str, sections: Sequence[str]) -> str:
    """A complete page: no file and no network beside it, light and dark, wide and narrow."""
    return _PAGE.format(title=escape(title), style=_STYLE, header=header, body="".join(sections))


def legend(colours: Mapping[str, int], phases: Iterable[str]) -> str:
    """A key of coloured names."""
    keys = [
        f'<span><i style="background:var(--c{colours[p]})"></i>{escape(short_label(p))}</span>'
        for p in phases
    ]
    return f'<p class="legend">{"".join(keys)}</p>'


def figure(title: str, body: str) -> str:
    """A panel with a title above it."""
    return f"<figure class='panel'><figcaption>{escape(title)}</figcaption>{body}</figure>"


def grid(panels: Sequence[str]) -> str:
    """Panels side by side, as many as fit."""
    return f"<div class='grid'>{''.join(panels)}</div>" if panels else ""


def details(title: str, body: str, opened: bool = False) -> str:
    """A part that opens on a click."""
    state = " open" if opened else ""
    return f"<details{state}><summary>{escape(title)}</summary>{body}</details>"


def section(title: str, body: str) -> str:
    """A titled part of the page."""
    return f"<section><h2>{title}</h2>{body}</section>"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title><style>{style}</style></head>
<body>{header}<main>{body}</main></body></html>
"""

_STYLE = """
:root { --ink:#1c1f24; --soft:#646b76; --rule:#e3e5e9; --page:#fff; --panel:#f7f8f9;
  color-scheme:light dark;
  --c0:#8a8f98; --c1:#1f77b4; --c2:#d8701a; --c3:#2a9d63; --c4:#a04cc0; --c5:#c9304f;
  --c6:#8a6d1c; --c7:#16a0b0 }
@media (prefers-color-scheme:dark) { :root { --ink:#e6e8eb; --soft:#9aa2ad; --rule:#30353c;
  --page:#15181c;
  --panel:#1c2025; --c0:#9aa0a8; --c1:#5aa9e6; --c2:#f09a4a; --c3:#58c38c; --c4:#c98be0;
  --c5:#f0738b; --c6:#cfb04e;
  --c7:#4cc9d8 } }
* { box-sizing:border-box }
body { margin:0 auto; padding:2.5rem 1.25rem 4rem; max-width:72rem; background:var(--page);
  color:var(--ink);
  font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif }
h1 { font-size:1.8rem; margin:0; letter-spacing:-.01em; overflow-wrap:anywhere }
h2 { font-size:1.1rem; margin:0 0 .8rem }
section { margin-top:2.6rem; border-top:1px solid var(--rule); padding-top:1.2rem }
.facts,.note,figcaption { color:var(--soft); font-size:.85rem }
.facts { margin:.2rem 0 0 } .note { margin:.6rem 0 0; max-width:46rem }
.lead { font-size:1.12rem; line-height:1.6; max-width:46rem; margin:1.1rem 0 0 }
.scroll,.side { overflow-x:auto }
* + .scroll { margin-top:1.2rem }
table { border-collapse:collapse; font-variant-numeric:tabular-nums; font-size:.88rem }
th,td { padding:.4rem .6rem; text-align:right; vertical-align:top }
th { font-weight:500 } td b { white-space:nowrap; font-weight:600 }
th.text,td.text { text-align:left } td.text { min-width:5rem }
thead th { color:var(--soft); font-size:.8rem; border-bottom:1px solid var(--rule);
  max-width:13rem }
thead th[colspan] { max-width:none; text-align:center; color:var(--ink) }
tbody th,thead tr:first-child th:first-child { text-align:left; position:sticky; left:0;
  background:var(--page); min-width:6rem; max-width:15rem }
tbody tr + tr > * { border-top:1px solid var(--rule) }
td small { display:block; color:var(--soft); font-size:.74rem; line-height:1.35;
  white-space:nowrap }
td.none { color:var(--soft) }
.findings tbody th,.findings thead tr:first-child th:first-child { min-width:1.2rem;
  position:static }
.findings .verdict { min-width:6.5rem } .findings b { white-space:normal }
.findings .verdict b { white-space:nowrap }
.heat td { border:2px solid var(--page); text-align:center; padding:.4rem .3rem; min-width:4rem }
.heat thead th { text-align:center } .heat td small { color:inherit; opacity:.75; line-height:1.3 }
.heat .own { outline:1.5px solid var(--c0); outline-offset:-3px }
.heat .bounds { white-space:normal } .heat td .gain { font-weight:600; opacity:1;
  margin-top:.25rem } .heat .unsure .gain,.heat .unsure .bounds { opacity:.5 }
.grid { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));
  gap:1.4rem }
figure { margin:0; min-width:0 } .panel figcaption { margin-bottom:.3rem }
svg { display:block; width:100%; max-width:44rem; height:auto; font:11px system-ui,sans-serif }
svg text { fill:var(--soft) } svg .rule { stroke:var(--rule) }
.legend { display:flex; flex-wrap:wrap; gap:.3rem 1.1rem; margin:0 0 .8rem; font-size:.85rem }
.legend i { display:inline-block; width:.75rem; height:.75rem; border-radius:50%;
  margin-right:.4rem; vertical-align:-.08rem }
details { margin:.4rem 0 } summary { cursor:pointer; padding:.2rem 0 }
.side { display:flex; gap:1rem; padding:.4rem 0 } .side figure { flex:1 0 20rem }
pre { margin:.3rem 0 0; padding:.8rem; background:var(--panel); border-radius:6px;
  max-height:26rem; overflow:auto;
  font:12.5px/1.5 ui-monospace,Menlo,Consolas,monospace; white-space:pre-wrap;
  overflow-wrap:anywhere }
@media (max-width:40rem) { body { padding:1.5rem .9rem 3rem } .lead { font-size:1rem }
  tbody th,thead tr:first-child th:first-child { padding-left:0; max-width:9rem }
  .findings thead { display:none } .findings tr { display:block; padding:.6rem 0 }
  .findings th,.findings td { display:inline-block; padding:.1rem .5rem .1rem 0 }
  .findings td.text { display:block } .findings td.verdict { display:inline-block }
  .findings tr > * { border:0 !important } .findings tr + tr { border-top:1px solid var(--rule) } }
"""
