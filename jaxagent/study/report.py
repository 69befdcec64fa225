"""One self-contained page about a study, derived from its table alone (transcripts and plan are
shown as they are)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from jaxagent.study import continual, metrics, page, provenance, table, tables
from jaxagent.study.contents import ATTEMPTS, TRANSCRIPTS, checked
from jaxagent.study.figures import PALETTE
from jaxagent.study.files import write_text
from jaxagent.study.grid import bounds, number
from jaxagent.study.labels import short_label
from jaxagent.study.names import file_name
from jaxagent.study.part import Part, parts_of
from jaxagent.study.picture import transfer_picture
from jaxagent.study.places import check_folder
from jaxagent.study.scores import BASE, Scores, is_plain, stages
from jaxagent.study.sections import sections
from jaxagent.study.statistics import SEEDS_FOR_INTERVAL, Estimate

PAGE = "report.html"

_METHOD = """
<p>All intervals are 95 %. <b>Three seeds or more:</b> the number is the median over training
seeds. The interval of success and of its differences is Student's, of the mean over seeds and
instances as crossed random effects, stretched to hold the median: it speaks of other seeds and
other instances. That of other measures is Student's over seeds. In simulations of 3 to 10 seeds
they hold the truth in 93 to 97 % of the cases; those over seeds alone, of rates near 0 or 1, in 88
to 93 %. Where nothing varies, success has the interval of one measurement of the instances, other
measures have none. <b>One or two seeds:</b> the number is the mean, and there is no interval:
so few do not tell how far another training would be. No verdict follows then.</p>
<p>Gains, forgetting and other differences are taken within each seed and on every instance first,
so the median of a difference need not be the difference of the medians. Instances are the unit of
evaluation; attempts at one instance are averaged. There is no correction for the number of
comparisons: of twenty differences that are none, one interval is expected to leave out zero. Scores
are those of the last checkpoint of a phase.</p>
"""


def build(folder: str | os.PathLike[str]) -> Path:
    """Writes `report.html`, and every table as CSV and LaTeX under `tables`.

    They come from `results.csv` and, where they are there, from `attempts.json`, `transcripts.json`
    and `plan.json`.

    `transcripts.json` is {phase: {task: plain text}}. Sections without data are left out. Raises
    FileNotFoundError naming the path if there is no table, ValueError if it is no table or holds no
    rows.
    """
    folder = Path(folder)
    parts = read(folder)
    transcripts = checked(folder / "transcripts.json", TRANSCRIPTS)
    plan = checked(folder / "plan.json", {})
    made = provenance.read_section(folder)
    path = folder / PAGE
    places = [
        folder / "tables" / file_name(p.variant) if p.variant else folder / "tables" for p in parts
    ]
    for place in places:
        check_folder("tables", place)
        if not place.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{place}: a link that leads out of {folder}, expected a folder")
    write_text(path, render(parts, transcripts or {}, plan, made))
    for part, place in zip(parts, places, strict=True):
        for grid in part.grids:
            write_text(place / f"{file_name(grid.name)}.csv", grid.csv())
            write_text(place / f"{file_name(grid.name)}.tex", grid.latex())
    return path


def _tables(folder: Path, variant: str) -> Path:
    """Where the tables of a variant go, inside the study's folder."""
    place = folder / "tables" / (file_name(variant) if variant else "")
    check_folder("tables", place)
    if not place.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{place}: leads out of {folder}, expected a folder inside")
    return place


def read(folder: Path) -> list[Part]:
    """The variants of the study in a folder; see `build` for what may be wrong with it."""
    rows = table.read(folder / "results.csv")
    attempts = checked(folder / "attempts.json", ATTEMPTS)
    if not rows:
        raise ValueError(f"{folder / 'results.csv'}: got a header alone, expected at least one row")
    return parts_of(rows, attempts or {})


def draw(folder: Path, path: Path) -> None:
    """Writes the transfer matrix of the first variant of the study in a folder as SVG."""
    first = read(folder)[0]
    write_text(path, transfer_picture(first.final, first.rows[0].study))


def render(
    parts: Sequence[Part],
    transcripts: Mapping[str, Mapping[str, str]],
    plan: object,
    made: str = "",
) -> str:
    """The whole page as one string of HTML; `made` is the section on how the study was made."""
    rows = [row for part in parts for row in part.rows]
    colours = _colours(rows)
    shown = [_variants(parts)]
    for part in parts:
        shown += [_named(part, section) for section in sections(part, colours)]
    first = parts[0]
    shown += [_episodes(first.final, transcripts), _method(), made, _plan(plan)]
    title = ", ".join(dict.fromkeys(row.study for row in rows))
    about = plan.get("about", "") if isinstance(plan, dict) else ""
    return page.document(title, _header(title, about, rows, parts), shown)


def _named(part: Part, section: str) -> str:
    """The section with its variant in the heading."""
    if not part.variant:
        return section
    return section.replace("</h2>", f": {escape(part.variant)}</h2>", 1)


def _variants(parts: Sequence[Part]) -> str:
    grid = tables.variant_grid({part.variant: part.final for part in parts})
    note = "<p class='note'>Mean success of the base over all environments, and what training on "
    note += "one of them changed there and elsewhere.</p>"
    return page.section("Variants", grid.html() + note) if grid else ""


def summary(final: Scores) -> str:
    """The key numbers in a sentence or two; empty where no training phase can be compared with a
    base."""
    count, inside, outside = metrics.average_deltas(final)
    lost = continual.average_forgetting(final)
    every = set(final.environments)
    mixed = [
        ("the mixture" if is_plain(phase) else escape(phase), metrics.deltas(final, phase).overall)
        for phase in final.phases
        if len(every) > 1 and [set(stage) for stage in stages(final, phase)] == [every]
    ]
    said = []
    if inside.measured:
        over = f", averaged over {count} such trainings" if count > 1 else ""
        said.append(
            f"Training on one environment changed success there by {_points(inside)} "
            f"and elsewhere by {_points(outside)}{over}."
        )
    said += [
        f"Training on {name} changed it by {_points(gain)} overall."
        for name, gain in mixed
        if gain.measured
    ]
    if lost.measured:
        said.append(
            f"Training on something else afterwards cost {_points(lost, sign=False)} on what was "
            "trained first."
        )
    few = f"No intervals: fewer than {SEEDS_FOR_INTERVAL} seeds."
    return " ".join(said + [few] * (bool(said) and len(final.seeds) < SEEDS_FOR_INTERVAL))


def plain_summary(final: Scores) -> str:
    """The same as plain text."""
    return re.sub("<[^>]+>", "", summary(final))


def _points(estimate: Estimate, sign: bool = True) -> str:
    ends = bounds(estimate, sign=True)
    return f"<b>{number(estimate.value, sign=sign)} points</b>" + f" ({ends})" * bool(ends)


def _header(title: str, about: str, rows: Sequence[table.Row], parts: Sequence[Part]) -> str:
    final = parts[0].final
    episodes = sum(row.episodes for row in rows if row.is_held_out and row.metric == "success")
    counts = (("phase", len(final.phases)), ("task", len(final.tasks)), ("seed", len(final.seeds)))
    facts = [f"{n} {word}{'s' * (n != 1)}" for word, n in counts] + [
        f"{episodes:,} evaluation episodes"
    ]
    if len(parts) > 1:
        facts.insert(0, f"{len(parts)} variants")
    said = summary(final) if len(parts) == 1 else ""
    lead = f'<p class="lead">{said}</p>' if said else ""
    lead = (f'<p class="lead">{escape(about)}</p>' if about else "") + lead
    return (
        f'<header><h1>{escape(title)}</h1><p class="facts">{" · ".join(facts)}</p>{lead}</header>'
    )


def _episodes(final: Scores, transcripts: Mapping[str, Mapping[str, str]]) -> str:
    tasks = dict.fromkeys(
        [*final.tasks, *(task for by_task in transcripts.values() for task in by_task)]
    )
    tasks = [task for task in tasks if any(task in by_task for by_task in transcripts.values())]
    parts = [_episode(final, task, transcripts, opened=i == 0) for i, task in enumerate(tasks)]
    return page.section("Episodes before and after", "".join(parts)) if parts else ""


def _episode(
    final: Scores, task: str, transcripts: Mapping[str, Mapping[str, str]], opened: bool
) -> str:
    own = dict(zip(final.tasks, final.environments, strict=True)).get(task, task.split("/")[0])
    told = [phase for phase in transcripts if task in transcripts[phase]]
    # The base first, then the phases that trained on this environment.
    told.sort(
        key=lambda phase: (phase != BASE, all(own not in stage for stage in stages(final, phase)))
    )
    columns = [
        f"<figure><figcaption>{escape(short_label(p))}</figcaption><pre>{escape(transcripts[p][task])}</pre></figure>"
        for p in told
    ]
    return page.details(task, f"<div class='side'>{''.join(columns)}</div>", opened)


def _method() -> str:
    return page.section("How the intervals were computed", _METHOD)


def _plan(plan: object) -> str:
    if plan is None:
        return ""
    text = escape(json.dumps(plan, indent=2, ensure_ascii=False))
    return page.section("Configuration", page.details("plan.json", f"<pre>{text}</pre>"))


def _colours(rows: Iterable[table.Row]) -> dict[str, int]:
    """A colour per phase: grey for the base, the palette in turn for the others."""
    others = [phase for phase in dict.fromkeys(row.phase for row in rows) if phase != BASE]
    return {BASE: 0, **{phase: 1 + i % (PALETTE - 1) for i, phase in enumerate(others)}}
