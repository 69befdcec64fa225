"""One self-contained page about a study, derived from its table alone (transcripts and plan are
shown as they are)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from jaxagent.study import metrics, page, table, tables
from jaxagent.study.figures import PALETTE, Dot, Line, dot_chart, line_chart
from jaxagent.study.files import read_json, write_text
from jaxagent.study.scores import BASE, Scores, contrast, mean_of, scores, stages
from jaxagent.study.statistics import NOT_MEASURED, OVER_EPISODES, OVER_SEEDS, Estimate
from jaxagent.study.tables import interval, number, terminal_table

__all__ = ["build", "terminal_table"]

_CURVES = {
    "success": "success, %",
    "return": "return",
    "entropy": "entropy, nats",
    "kl": "KL to the base, nats",
}

_METHOD = """
<p>All intervals are 95 %. <b>Three seeds or more:</b> the number is the median over training
seeds, its interval the percentile bootstrap over seeds (2000 resamples, fixed generator), which
cannot leave the range of the seeds{held}. <b>One or two seeds:</b> the number is the mean, and
its interval covers the evaluation episodes only, not the variation between training runs.</p>
<p>Gains, forgetting and other differences are taken within each seed first, so the median of a
difference need not be the difference of the medians. Under three seeds, the intervals of the
scores are combined as independent (Zou and Donner 2008). Instances are the unit of evaluation;
attempts at one instance are averaged. There is no correction for the number of comparisons.
Scores are those of the last checkpoint of a phase.</p>
"""


def build(folder: str | os.PathLike[str]) -> Path:
    """Writes `report.html` from `results.csv` and, where they are there, `transcripts.json` and
    `plan.json`.

    `transcripts.json` is {phase: {task: plain text}}. Sections without data are left out. Raises
    FileNotFoundError naming the path if there is no table, ValueError if it is no table or holds no
    rows.
    """
    folder = Path(folder)
    rows = table.read(folder / "results.csv")
    if not rows:
        raise ValueError(f"{folder / 'results.csv'}: got a header alone, expected at least one row")
    transcripts, plan = (_json(folder / name) for name in ("transcripts.json", "plan.json"))
    path = folder / "report.html"
    write_text(path, render(rows, transcripts or {}, plan))
    return path


def render(
    rows: Sequence[table.Row], transcripts: Mapping[str, Mapping[str, str]], plan: object
) -> str:
    """The whole page as one string of HTML."""
    final = scores(rows)
    colours = _colours(rows)
    sections = [
        _transfer(final),
        _gains(final),
        _forgetting(final),
        _shift(final, colours),
        _learning(rows, colours),
        _other(rows),
        _episodes(final, transcripts),
        _method(final),
        _plan(plan),
    ]
    title = ", ".join(dict.fromkeys(row.study for row in rows))
    return page.document(title, _header(title, rows, final), sections)


def summary(final: Scores) -> str:
    """The key numbers in a sentence or two; empty where no training phase can be compared with a
    base."""
    count, inside, outside = metrics.average_deltas(final)
    lost = metrics.average_forgetting(final)
    every = set(final.environments)
    mixed = [
        metrics.deltas(final, phase).overall
        for phase in final.phases
        if len(every) > 1 and [set(stage) for stage in stages(final, phase)] == [every]
    ]
    said = []
    if inside.measured:
        over = f", averaged over {count} training environments" if count > 1 else ""
        said.append(
            f"Training on one environment changed success there by {_points(inside)} "
            f"and elsewhere by {_points(outside)}{over}."
        )
    said += [
        f"Training on the mixture changed it by {_points(gain)} overall."
        for gain in mixed
        if gain.measured
    ]
    if lost.measured:
        said.append(
            f"Training on another environment afterwards cost {_points(lost, sign=False)} "
            "on the first."
        )
    return " ".join(said)


def _points(estimate: Estimate, sign: bool = True) -> str:
    value, bounds = number(estimate.value, sign=sign), interval(estimate, sign=True)
    return f"<b>{value} points</b> ({bounds})"


def _header(title: str, rows: Sequence[table.Row], final: Scores) -> str:
    episodes = sum(row.episodes for row in rows if row.is_held_out and row.metric == "success")
    counts = (("phase", len(final.phases)), ("task", len(final.tasks)), ("seed", len(final.seeds)))
    facts = [f"{n} {word}{'s' * (n != 1)}" for word, n in counts] + [
        f"{episodes:,} evaluation episodes"
    ]
    said = summary(final)
    lead = f'<p class="lead">{said}</p>' if said else ""
    return (
        f'<header><h1>{escape(title)}</h1><p class="facts">{" · ".join(facts)}</p>{lead}</header>'
    )


def _transfer(final: Scores) -> str:
    if not final.phases:
        return ""
    note = "Success on held-out instances, percent, and its 95 % interval"
    if BASE in final.phases and len(final.phases) > 1:
        note += (
            "; below it the gain over the base in points. Blue is gain, orange loss; faded where "
            "the interval of the gain includes zero; outlined where the environment was trained on"
        )
    return page.section(
        "Transfer", f"{tables.heat_map(final)}<p class='note'>{note}. {_kinds(final)}</p>"
    )


def _gains(final: Scores) -> str:
    if BASE not in final.phases or len(final.phases) < 2:
        return ""
    note = (
        "Gain over the base in points, on the plain tasks of the environments trained on "
        "(held-in), of the others (held-out) and of all; every environment counts once."
    )
    if any(metrics.aggregate(final, phase).iqm.measured for phase in final.phases):
        note += (
            " IQM: interquartile mean of success over tasks and seeds. P: chance that a seed beats "
            "a seed of the base on a task."
        )
    return page.section(
        "Held-in and held-out", f"{tables.delta_table(final)}<p class='note'>{note}</p>"
    )


def _forgetting(final: Scores) -> str:
    found = metrics.forgetting(final)
    if not found:
        return ""
    body = (
        tables.forgetting_table(found)
        + "<p class='note'>Success in percent; positive is forgotten.</p>"
    )
    summary_table = tables.continual_table(final)
    if summary_table:
        body += summary_table + (
            "<p class='note'>ACC: mean final success over the stages' environments. BWT: change on "
            "earlier stages since they ended. FWT: gain over the base on a stage before its "
            "training.</p>"
        )
    return page.section("Forgetting", body)


def _shift(final: Scores, colours: Mapping[str, int]) -> str:
    panels = [_shift_panel(final, shift, colours) for shift in metrics.shifts(final)]
    note = (
        "<p class='note'>The same dynamics in other words (renamed, swapped) or through another "
        "interface. Tables: gain under the shift minus gain on the plain task, in points; zero if "
        "all that was learned carries over.</p>"
    )
    return (
        page.section(
            "Shift of words and interface",
            page.legend(colours, final.phases) + page.grid(panels) + note,
        )
        if panels
        else ""
    )


def _shift_panel(final: Scores, shift: metrics.Shift, colours: Mapping[str, int]) -> str:
    groups = []
    for task in (shift.plain, *shift.variants):
        dots = [
            Dot(p, colours[p], contrast(final, mean_of(final, p, [task]))) for p in final.phases
        ]
        groups.append((task.removeprefix(shift.plain).removeprefix("+") or "plain", dots))
    chart = dot_chart(groups, f"success on {shift.plain} and its variants")
    return page.figure(f"{shift.plain}: success, %", chart + tables.shift_table(final, shift))


def _learning(rows: Sequence[table.Row], colours: Mapping[str, int]) -> str:
    panels = {
        metric: _curve_panels(rows, metric, label, colours) for metric, label in _CURVES.items()
    }
    phases = [p for p in colours if any(row.phase == p and row.split == "train" for row in rows)]
    if not any(panels.values()):
        return ""
    main = panels.pop("success")
    rest = [panel for group in panels.values() for panel in group]
    more = page.grid(rest)
    if main and rest:
        more = page.details("Return, entropy, KL", more)
    note = "<p class='note'>On training instances, against turns of training in the phase.</p>"
    return page.section(
        "Learning curves", page.legend(colours, phases) + page.grid(main) + more + note
    )


def _curve_panels(
    rows: Iterable[table.Row], metric: str, label: str, colours: Mapping[str, int]
) -> list[str]:
    panels: dict[str, list[Line]] = {}
    for curve in metrics.curves(rows, metric):
        line = Line(
            curve.phase, colours[curve.phase], curve.turns, curve.value, curve.low, curve.high
        )
        panels.setdefault(curve.environment, []).append(line)
    charts = {
        name: line_chart(lines, f"{label} in {name}", percent=metric == "success")
        for name, lines in panels.items()
    }
    return [page.figure(f"{name or 'all tasks'}: {label}", chart) for name, chart in charts.items()]


def _other(rows: Sequence[table.Row]) -> str:
    names = dict.fromkeys(row.metric for row in rows if row.is_held_out and row.metric != "success")
    units = {
        "turns": "turns per episode",
        "tokens": "generated tokens per episode",
        "invalid": "invalid actions, %",
    }
    parts = []
    for name in names:
        label = units.get(name, f"{name}, %" if tables.is_rate(name) else name)
        shown = tables.metric_table(scores(rows, name), name)
        parts.append(page.details(label, shown))
    return page.section("Other measures", "".join(parts)) if parts else ""


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
        f"<figure><figcaption>{escape(p)}</figcaption><pre>{escape(transcripts[p][task])}</pre></figure>"
        for p in told
    ]
    return page.details(task, f"<div class='side'>{''.join(columns)}</div>", opened)


def _method(final: Scores) -> str:
    seeds = len(final.seeds)
    held = f" ({1 - 0.5 ** (seeds - 1):.0%} likely to hold the median)" if seeds > 2 else ""
    return page.section("How the intervals were computed", _METHOD.format(held=held))


def _kinds(final: Scores) -> str:
    """Which kinds of interval the scores have, as the statistics label them."""
    found = {e.kind for row in metrics.transfer(final).score for e in row} - {NOT_MEASURED}
    kinds = [kind for kind in (OVER_SEEDS, OVER_EPISODES) if kind in found]
    return f"Numbers are: {'; '.join(kinds)}." if kinds else ""


def _plan(plan: object) -> str:
    if plan is None:
        return ""
    text = escape(json.dumps(plan, indent=2, ensure_ascii=False))
    return page.section("Configuration", page.details("plan.json", f"<pre>{text}</pre>"))


def _colours(rows: Iterable[table.Row]) -> dict[str, int]:
    """A colour per phase: grey for the base, the palette in turn for the others."""
    others = [phase for phase in dict.fromkeys(row.phase for row in rows) if phase != BASE]
    return {BASE: 0, **{phase: 1 + i % (PALETTE - 1) for i, phase in enumerate(others)}}


def _json(path: Path) -> Any:
    return read_json(path) if path.is_file() else None
