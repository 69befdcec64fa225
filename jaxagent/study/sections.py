"""The sections of a report about one variant of a study; one without data is empty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from jaxagent.study import continual, curves, metrics, page, table, tables
from jaxagent.study.factorial import factorial_grid, factorials
from jaxagent.study.figures import Dot, Line, dot_chart, line_chart
from jaxagent.study.findings import Finding, findings
from jaxagent.study.part import Part, metric_grid, other_metrics
from jaxagent.study.scores import BASE, Scores, contrast, mean_of
from jaxagent.study.statistics import NOT_MEASURED

_CURVES = {
    "success": "success, %",
    "return": "return",
    "entropy": "entropy, nats",
    "kl": "KL to the base, nats",
}


def sections(part: Part, colours: Mapping[str, int]) -> list[str]:
    """All of them in their order; phases keep their colours."""
    final, rows = part.final, part.rows
    return [
        _findings(rows, final),
        _transfer(final),
        _gains(final),
        _difficulty(final),
        _forgetting(final, rows),
        _shift(final, colours),
        _learning(rows, colours),
        _failures(rows),
        _other(rows),
    ]


def _named(part: Part, section: str) -> str:
    """The section with its variant in the heading."""
    return (
        section.replace("</h2>", f": {escape(part.variant)}</h2>", 1) if part.variant else section
    )


def _findings(rows: Sequence[table.Row], final: Scores) -> str:
    found = findings(rows, final)
    told = [each for each in found if each.estimate.measured]
    silent = [each for each in found if not each.estimate.measured]
    if not told:
        return ""
    body = "".join(map(_finding, told))
    heads = ("verdict", "pattern reported", "here")
    head = "".join(f"<th class='text'>{each}</th>" for each in heads)
    head = f"<tr><th></th>{head}</tr>"
    shown = f'<div class="scroll"><table class="findings"><thead>{head}</thead>{body}</table></div>'
    names = "; ".join(f"{each.letter}: {escape(each.pattern)}" for each in silent)
    note = "Patterns that Xi et al. 2026 (and for J arXiv 2601.18217) report, against this study. "
    note += "A verdict follows from the interval alone."
    if silent:
        note += f" This study says nothing about {names}"
    return page.section("Which findings hold here?", f"{shown}<p class='note'>{note}</p>")


def _finding(found: Finding) -> str:
    return (
        f"<tr><th>{found.letter}</th><td class='text verdict'><b>{found.verdict}</b></td>"
        f"<td class='text'>{escape(found.pattern)}</td>"
        f"<td class='text'><b>{found.shown}</b> {escape(found.measured)}</td></tr>"
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
    body = f"{tables.heat_map(final)}<p class='note'>{note}. {_kinds(final)}</p>"
    normalised = tables.normalised_grid(final)
    if normalised is not None:
        told = "Gain on each environment as a share of what its own training gains there, percent."
        body += page.details(told, normalised.html())
    return page.section("Transfer", body)


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
            "a seed of the base on a task, percent. Neither has an interval."
        )
    return page.section(
        "Held-in and held-out", f"{tables.delta_grid(final).html()}<p class='note'>{note}</p>"
    )


def _difficulty(final: Scores) -> str:
    grids = tables.difficulty_grids(final)
    note = "<p class='note'>Success in percent, and the gain over the base in points.</p>"
    return page.section("Difficulty", "".join(g.html() for g in grids) + note) if grids else ""


def _failures(rows: Sequence[table.Row]) -> str:
    grids = tables.failure_grids(rows)
    note = (
        "<p class='note'>Episodes with each failure mode at least once, percent, on the plain "
        "tasks; counted from states and words. Unverified: acting on what was not made sure of, "
        "or repeating what was refused. Fabrication: naming what was never shown. Inconsistent: "
        "acting against the state as told. Gave up: cut, the last three actions in one state.</p>"
    )
    return page.section("Failure modes", "".join(g.html() for g in grids) + note) if grids else ""


def _forgetting(final: Scores, rows: Sequence[table.Row]) -> str:
    found = continual.forgetting(final)
    if not found:
        return ""
    body = (
        tables.forgetting_grid(found).html()
        + "<p class='note'>Success in percent; positive is forgotten.</p>"
    )
    grid = tables.continual_grid(final, rows)
    if grid is not None:
        body += grid.html() + (
            "<p class='note'>ACC: mean final success over what the stages trained on. BWT: change "
            "on earlier stages since they ended. FWT: gain over the base on a stage before its "
            "training (Lopez-Paz and Ranzato 2017). FT: how much sooner the last stage was learnt "
            "than alone, by the areas under the learning curves (Wołczyk et al. 2021).</p>"
        )
    return page.section("Forgetting", body)


def _shift(final: Scores, colours: Mapping[str, int]) -> str:
    panels = [_shift_panel(final, shift, colours) for shift in metrics.shifts(final)]
    note = (
        "<p class='note'>The same dynamics in other words (renamed, swapped) or through another "
        "interface. Tables: gain under the shift minus gain on the plain task, in points; zero if "
        "all that was learned carries over.</p>"
    )
    if not panels:
        return ""
    body = page.legend(colours, final.phases) + page.grid(panels) + note
    grids = [factorial_grid(final, each) for each in factorials(final)]
    if shown := [grid.html() for grid in grids if grid is not None]:
        body += "".join(shown) + (
            "<p class='note'>The same as two factors, in points of the gain over the base: what "
            "other words change, averaged over both interfaces; what the other interface "
            "changes, averaged over both words; what both change beyond their sum.</p>"
        )
    return page.section("Shift of words and interface", body)


def _shift_panel(final: Scores, shift: metrics.Shift, colours: Mapping[str, int]) -> str:
    groups = []
    for task in (shift.plain, *shift.variants):
        dots = [
            Dot(p, colours[p], contrast(final, mean_of(final, p, [task]))) for p in final.phases
        ]
        groups.append((task.removeprefix(shift.plain).removeprefix("+") or "plain", dots))
    chart = dot_chart(groups, f"success on {shift.plain} and its variants")
    grid = tables.shift_grid(final, shift)
    return page.figure(f"{shift.plain}: success, %", chart + (grid.html() if grid else ""))


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
    for curve in curves.learning_curves(rows, metric):
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
    units = {
        "turns": "turns per episode",
        "tokens": "generated tokens per episode",
        "invalid": "invalid actions, %",
        "truncated_by_context": "episodes cut by the context, %",
        "kl_base": "KL from the base on what was trained on last, nats per word",
    }
    parts = []
    for name in other_metrics(rows):
        label = units.get(name, f"{name}, %" if tables.is_rate(name) else name)
        parts.append(page.details(label, metric_grid(rows, name).html()))
    return page.section("Other measures", "".join(parts)) if parts else ""


def _kinds(final: Scores) -> str:
    """Which kinds of interval the scores have, as the statistics label them."""
    found = dict.fromkeys(e.kind for row in metrics.transfer(final).score for e in row)
    kinds = [kind for kind in found if kind != NOT_MEASURED]
    return f"Numbers are: {'; '.join(kinds)}." if kinds else ""
