"""``report.html``: one page with everything in it, made from a folder of results. People look before they read."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from gioconda.errors import PictureError
from gioconda.evaluation import results
from gioconda.evaluation.catalogue import BY_NAME, FAMILIES, NOT_MEASURED, Measure, measures
from gioconda.evaluation.charts import Point, Series, curve, scatter, strips
from gioconda.evaluation.protocol import kept_views
from gioconda.evaluation.renderers import STILL
from gioconda.evaluation.results import ALL, GROUP_TITLES, LONG, TUNED, pick, shown
from gioconda.evaluation.store import ClipFolder, Kept, write_text
from gioconda.media.pictures import read_picture

NAME = "report.html"
PANEL = 168
"""Height in pixels of the pictures and clips in the page."""
WORST_SHOWN = 3
MOST_COUPLES = 6
Row = Mapping[str, Any]
Maker = tuple[str, int]

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_TABLE_TEXT = "Bold: best in its row. Small: 95 % interval over clips, and how many clips a figure stands on."
_COMPARED = {
    ALL: "All clips",
    LONG: "Only shots that serve every number of views, so that like is compared with like",
    TUNED: "Only clips that every renderer is measured on, so that like is compared with like",
}
TRACK_TITLES = {
    "self": "Against the truth",
    "cross": "Anyone drives anyone",
}
TRACK_TEXTS = {
    "self": "Earlier frames of a person are the portrait, frames at least a second later are the truth. The renderer "
    "gets the truth’s own landmarks and has to make the frame.",
    "cross": "Every portrait is moved by every driver. There is no truth to compare with: the clip should keep the "
    "portrait’s face and make the driver’s movements.",
}
CURVES = ("l1_face", "l1_mouth", "l1_eyes", "ssim_face", "psnr_face", "lpips", "fid", "akd", "csim_truth", "aed", "apd")
SPREADS = {
    "self": (
        "l1_face",
        "l1_mouth",
        "ssim_face",
        "lpips",
        "akd",
        "csim_truth",
        "aed",
        "apd",
        "correlation_mouth",
        "amplitude_mouth",
    ),
    "cross": (
        *("csim_portrait", "csim_worst", "aed", "apd", "correlation_mouth", "amplitude_mouth"),
        *("correlation_yaw", "amplitude_yaw", "jitter", "swim", "flicker", "csim_drift"),
    ),
}


def write(out: Path) -> Path:
    """Make the page of a folder's results.

    Raises:
        UsageError: the folder holds no results.
        OutputError: it cannot be written.
    """
    whole = results.read(out)
    path = out / NAME
    write_text(path, page(whole, out))
    return path


def page(whole: Mapping[str, Any], out: Path) -> str:
    """The page as HTML."""
    style = resources.files("gioconda.evaluation").joinpath("report.css").read_text(encoding="utf-8")
    tracks = list(whole["runs"])
    body = "".join(_track(whole, track, out) for track in tracks)
    links = "".join(f'<a href="#{track}">{escape(TRACK_TITLES.get(track, track))}</a>' for track in tracks)
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>Gioconda: how real is it?</title><style>{style}</style></head><body>"
        '<header><p class="over">gioconda evaluate</p><h1>How real is it?</h1>'
        f'<nav>{links}<a href="#about">About</a></nav></header><main>{body}{_about(whole)}</main></body></html>\n'
    )


def _track(whole: Mapping[str, Any], track: str, out: Path) -> str:
    about = whole["runs"][track]
    root = out / "runs" / about["fingerprint"]
    makers = list(dict.fromkeys((row["renderer"], row["views"]) for row in pick(whole, track=track, group=ALL)))
    colours = {name: k for k, name in enumerate(dict.fromkeys(name for name, _ in makers))}
    kept = {maker: _kept(root, about, maker) for maker in makers}
    found = [
        f'<section id="{track}"><h2>{escape(TRACK_TITLES.get(track, track))}</h2>',
        f"<p>{TRACK_TEXTS.get(track, '')} {len(about['clips'])} clips, "
        f"size <b>{escape(about['size']['name'])}</b>.</p>",
        *(f'<p class="warning">{escape(text)}</p>' for text in about["warnings"]),
        _clips(root, about, makers, track),
        _liveliness(whole, track, makers, colours, kept),
        _views(whole, track, makers, colours),
        _tables(whole, track, main_group(whole, track), makers, colours),
        _differences(whole, track),
        _groups(whole, track, makers, colours),
        _spreads(track, makers, colours, kept),
        _worst(root, track, makers, kept),
        _failed(about),
        "</section>",
    ]
    return "".join(found)


def main_group(whole: Mapping[str, Any], track: str) -> str:
    """The group to show first: all columns are compared on the clips that stand in all of them, on nothing else."""
    return next((group for group in (TUNED, LONG) if pick(whole, track=track, group=group)), ALL)


def _kept(root: Path, about: Row, maker: Maker) -> list[Kept]:
    renderer, views = maker
    found = [ClipFolder(root, entry["clip"]).load(renderer, kept_views(*maker)) for entry in about["clips"]]
    return [kept for kept in found if kept is not None and views <= kept.facts["most_views"]]


# clips and frames


def _clips(root: Path, about: Row, makers: Sequence[Maker], track: str) -> str:
    """A few clips, moving: picture, driver, truth, and what each renderer made of it."""
    best: dict[str, int] = {}
    for renderer, views in makers:
        if renderer != STILL:
            best[renderer] = max(views, best.get(renderer, 0))
    columns = ["picture", "driver", *(["truth"] if track == "self" else []), *(f"{r}-{v}" for r, v in best.items())]
    figures = []
    for clip in about["showcase"]:
        folder = ClipFolder(root, clip)
        facts = next((k.facts for k in (folder.load(r, v) for r, v in best.items()) if k is not None), None)
        if facts is None:
            continue
        # A short shot serves one view only.
        there = [c if _has(folder, c, facts) else f"{c.rsplit('-', 1)[0]}-1" for c in columns]
        there = [c for c in there if _has(folder, c, facts)]
        data = _film(folder, there, facts["places"], float(facts.get("fps", 25)) / max(facts.get("step", 1.0), 1.0))
        if data:
            heads = "".join(f"<span>{escape(_column_title(c))}</span>" for c in there)
            figures.append(
                f'<figure class="film" style="--n:{len(there)}"><div class="heads">{heads}</div>'
                f'<img alt="{escape(" | ".join(there), quote=True)}" src="{data}">'
                f"<figcaption>{escape(clip)}</figcaption></figure>"
            )
    if not figures:
        return ""
    return f'<h3>Look first</h3><div class="films">{"".join(figures)}</div>'


def _has(folder: ClipFolder, column: str, facts: Row) -> bool:
    places = [0] if column == "picture" else facts["places"]
    return bool(places) and all(folder.frame(column, i).is_file() for i in places)


def _column_title(column: str) -> str:
    if column in ("picture", "driver", "truth"):
        return column
    renderer, views = column.rsplit("-", 1)
    return f"{renderer}, {views} view{'s' if views != '1' else ''}"


def _film(folder: ClipFolder, columns: Sequence[str], places: Sequence[int], fps: float) -> str:
    """Columns side by side over time, as an animated WebP in a data address; empty where frames are missing."""
    frames = []
    try:
        for index in places:
            panels = [_panel(folder.frame(c, 0 if c == "picture" else index)) for c in columns]
            strip = Image.new("RGB", (sum(p.width for p in panels), PANEL))
            x = 0
            for panel in panels:
                strip.paste(panel, (x, 0))
                x += panel.width
            frames.append(strip)
    except PictureError:
        return ""
    if not frames:
        return ""
    file = io.BytesIO()
    pace = round(1000 / min(max(fps, 3.0), 12.5))
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=pace, loop=0, quality=58, method=2)
    return _data(file.getvalue(), "image/webp")


def _panel(path: Path) -> Image.Image:
    """A kept frame, fitted to a panel's square: the whole of it, on dark. Raises `PictureError`."""
    return ImageOps.pad(Image.fromarray(read_picture(path).rgb), (PANEL, PANEL), color=(24, 24, 24))


def _data(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _worst(root: Path, track: str, makers: Sequence[Maker], kept: Mapping[Maker, Sequence[Kept]]) -> str:
    """The worst frames of each measure, for each renderer at its largest number of views."""
    best: dict[str, int] = {}
    for renderer, views in makers:
        if renderer != STILL:
            best[renderer] = max(views, best.get(renderer, 0))
    columns = ["picture", "driver", *(["truth"] if track == "self" else []), "result"]
    parts = []
    for maker in best.items():
        for measure in measures(track):
            rows = _worst_rows(root, kept[maker], maker, measure, columns)
            if rows:
                heads = "".join(f"<span>{c}</span>" for c in columns)
                parts.append(
                    f'<div class="worst"><h4>{escape(measure.title)} '
                    f"<small>{escape(_column_title(f'{maker[0]}-{maker[1]}'))}</small></h4>"
                    f'<div class="heads" style="--n:{len(columns)}">{heads}</div>{rows}</div>'
                )
    if not parts:
        return ""
    return (
        "<h3>Worst frames</h3><p>Of each measure, the worst frame of the worst clips. This is where to look for "
        f'what to mend.</p><div class="worsts">{"".join(parts)}</div>'
    )


def _worst_rows(root: Path, clips: Iterable[Kept], maker: Maker, measure: Measure, columns: Sequence[str]) -> str:
    found = []
    for clip in clips:
        index = clip.facts.get("worst", {}).get(measure.name)
        if index is not None:
            found.append((clip.frames[measure.name][index], clip.clip, index))
    found.sort(reverse=measure.better == "lower")
    rows = []
    for value, clip_name, index in found[:WORST_SHOWN]:
        folder = ClipFolder(root, clip_name)
        pictures = []
        for column in columns:
            who = f"{maker[0]}-{maker[1]}" if column == "result" else column
            path = folder.frame(who, 0 if column == "picture" else index)
            file = io.BytesIO()
            try:
                _panel(path).save(file, "JPEG", quality=82)
            except PictureError:  # it is not there, or damaged
                break
            pictures.append(f'<img loading="lazy" alt="{column}" src="{_data(file.getvalue(), "image/jpeg")}">')
        if len(pictures) == len(columns):
            unit = f" {measure.unit}" if measure.unit else ""
            rows.append(
                f'<figure style="--n:{len(columns)}"><div class="row">{"".join(pictures)}</div>'
                f"<figcaption><b>{value:.{measure.digits}f}{escape(unit)}</b> "
                f"{escape(clip_name)}, frame {index}</figcaption></figure>"
            )
    return "".join(rows)


# charts


def _liveliness(
    whole: Mapping[str, Any],
    track: str,
    makers: Sequence[Maker],
    colours: Mapping[str, int],
    kept: Mapping[Maker, Sequence[Kept]],
) -> str:
    likeness = "csim_truth" if track == "self" else "csim_portrait"
    group = main_group(whole, track)
    rows = {(row["renderer"], row["views"], row["measure"]): row for row in pick(whole, track=track, group=group)}
    series = []
    for name, colour in colours.items():
        points = []
        for renderer, views in makers:
            x, y = rows.get((renderer, views, "aed")), rows.get((renderer, views, likeness))
            if renderer != name or not x or not y or x["value"] is None or y["value"] is None:
                continue
            label = f"{renderer} {views}: CSIM {shown(y)}, AED {shown(x)}"
            points.append(Point(x["value"], y["value"], y["low"], y["high"], x["low"], x["high"], label))
        series.append(Series(name, colour, points))
    plot = scatter(series, "AED: how far the expression is from the driver’s →", "CSIM: likeness →", "CSIM against AED")
    if not plot:
        return ""
    second = ""
    clouds = []
    for name, colour in colours.items():
        maker = max((m for m in makers if m[0] == name), key=lambda m: m[1])
        points = []
        for clip in kept[maker]:
            like, far = clip.values.get(likeness), clip.values.get("amplitude_mouth")
            if like and far and far[1] and math.isfinite(like[0]) and math.isfinite(far[0]):
                points.append(Point(min(far[0], 3.0), like[0], label=f"{name}: {clip.clip}"))
        clouds.append(Series(name, colour, points))
    cloud = scatter(
        clouds,
        "how far the mouth opens, over the driver’s →",
        "CSIM: likeness →",
        "CSIM against amplitude",
        420,
        360,
        False,
    )
    if cloud:
        second = (
            f'<figure class="chart">{cloud}<figcaption>The same clip by clip, over how far the mouth moves '
            "(1: as far as the driver’s). A clip at the left edge is alike because it does not move.</figcaption>"
            "</figure>"
        )
    return (
        "<h3>Liveliness against fidelity</h3>"
        f"{_legend(colours)}"
        f'<div class="charts"><figure class="chart">{plot}<figcaption>Up is more alike, left is closer to the '
        f"driver’s expression: the best corner is the upper left. "
        f"{escape(GROUP_TITLES.get(group, group))}; bars: 95 % intervals.</figcaption></figure>{second}</div>"
    )


def _views(whole: Mapping[str, Any], track: str, makers: Sequence[Maker], colours: Mapping[str, int]) -> str:
    views = sorted({number for _, number in makers})
    if len(views) < 2:
        return ""
    charts, group = [], main_group(whole, track)
    for name in CURVES:
        rows = pick(whole, track=track, group=group, measure=name)
        series = [
            Series(
                maker,
                colour,
                [
                    Point(r["views"], r["value"], r["low"], r["high"], label=f"{maker}, {r['views']} views: {shown(r)}")
                    for r in rows
                    if r["renderer"] == maker and r["value"] is not None
                ],
            )
            for maker, colour in colours.items()
        ]
        charts.append(_chart(curve(series, "views", views, BY_NAME[name].title), BY_NAME[name]))
    count = max((r["n"] for r in pick(whole, track=track, group=group)), default=0)
    return (
        f"<h3>What more pictures bring</h3><p>{_COMPARED[group]}: {count}. Bands: 95 % intervals.</p>{_legend(colours)}"
        f'<div class="charts small">{"".join(charts)}</div>'
    )


def _spreads(
    track: str, makers: Sequence[Maker], colours: Mapping[str, int], kept: Mapping[Maker, Sequence[Kept]]
) -> str:
    charts = []
    for name in SPREADS[track]:
        rows = []
        for maker in makers:
            if maker[0] == STILL and maker != next(m for m in makers if m[0] == STILL):
                continue  # it is the same picture for every number of views
            pairs = [clip.values.get(name, (math.nan, 0.0)) for clip in kept[maker]]
            label = STILL if maker[0] == STILL else f"{maker[0]} {maker[1]}"
            rows.append((label, colours[maker[0]], [value for value, weight in pairs if weight]))
        charts.append(_chart(strips(rows, BY_NAME[name].title), BY_NAME[name]))
    return (
        "<h3>Clip by clip</h3><p>A dot is a clip, the bar the median.</p>"
        f'<div class="charts small">{"".join(charts)}</div>'
    )


def _chart(svg: str, measure: Measure) -> str:
    if not svg:
        return ""
    arrow = {"higher": "higher is better", "lower": "lower is better", "one": "1 is right", "none": ""}[measure.better]
    unit = f" <small>{escape(measure.unit)}</small>" if measure.unit else ""
    return (
        f'<figure class="chart"><figcaption class="top"><b>{escape(measure.title)}</b>{unit}'
        f"<span>{arrow}</span></figcaption>{svg}</figure>"
    )


def _legend(colours: Mapping[str, int]) -> str:
    return (
        '<p class="legend">'
        + "".join(f'<span class="c{k}">{escape(name)}</span>' for name, k in colours.items())
        + "</p>"
    )


# tables


def _tables(
    whole: Mapping[str, Any], track: str, group: str, makers: Sequence[Maker], colours: Mapping[str, int]
) -> str:
    rows = pick(whole, track=track, group=group)
    makers = [maker for maker in makers if any((r["renderer"], r["views"]) == maker for r in rows)]
    # A baseline that does not change with the number of views needs one column.
    first = next((m for m in makers if m[0] == STILL), None)
    columns = [m for m in makers if m[0] != STILL or m == first]
    table = {(row["measure"], row["renderer"], row["views"]): row for row in rows}
    heads = "".join(
        f'<th class="c{colours[name]}">{escape(name)}'
        + (f"<small>{views} view{'s' * (views > 1)}</small>" if name != STILL else "<small>does not move</small>")
        + "</th>"
        for name, views in columns
    )
    # Other shots, other figures: best in a row means something only where all columns stand on the same shots.
    main = main_group(whole, track)
    comparable = group == main or (main != TUNED and len({views for _, views in columns}) == 1)
    parts = []
    for family in FAMILIES:
        lines = []
        for measure in measures(track):
            if measure.family == family:
                cells = [table.get((measure.name, *maker)) for maker in columns]
                lines.append(_line(measure, cells, comparable))
        if lines:
            head = f'<tr class="family"><th colspan="{len(columns) + 1}">{escape(family)}</th></tr>'
            parts.append(f"<tbody>{head}{''.join(lines)}</tbody>")
    first_table = group == main
    title = "The figures" if first_table else GROUP_TITLES.get(group, group.capitalize())
    text = f"<p>{_TABLE_TEXT} {_COMPARED[group]}.</p>" if first_table else ""
    head = f"<thead><tr><th></th>{heads}</tr></thead>"
    return f'<h3>{escape(title)}</h3>{text}<div class="scroll"><table>{head}{"".join(parts)}</table></div>'


def _line(measure: Measure, cells: Sequence[Row | None], comparable: bool) -> str:
    values = [cell["value"] if cell else None for cell in cells]
    goodness = [_goodness(measure, value) for value in values]
    best = max((g for g in goodness if g is not None), default=None)
    several = comparable and len({g for g in goodness if g is not None}) > 1
    arrow = {"higher": "↑", "lower": "↓", "one": "→ 1", "none": ""}[measure.better]
    unit = f" <small>{escape(measure.unit)}</small>" if measure.unit else ""
    parts = [f"<th>{escape(measure.title)}{unit} <i>{arrow}</i><small>{escape(measure.meaning)}</small></th>"]
    for cell, good in zip(cells, goodness, strict=True):
        if cell is None or cell["value"] is None:
            reason = escape(str(cell["reason"] or "") if cell else "", quote=True)
            word = "not measured" if measure.name in NOT_MEASURED else "–"
            parts.append(f'<td class="none" title="{reason}">{word}</td>')
            continue
        figure = f"{cell['value']:.{measure.digits}f}"
        figure = f"<b>{figure}</b>" if several and good == best else figure
        interval = (
            "" if cell["low"] is None else f"{cell['low']:.{measure.digits}f} – {cell['high']:.{measure.digits}f} · "
        )
        events = f" · {cell['events']} blinks" if cell.get("events") else ""
        parts.append(f"<td>{figure}<small>{interval}{cell['n']}{events}</small></td>")
    return f"<tr>{''.join(parts)}</tr>"


def _goodness(measure: Measure, value: float | None) -> float | None:
    if value is None or measure.better == "none":
        return None
    value = round(value, measure.digits)  # what looks equal is equally good
    return {"higher": value, "lower": -value, "one": -abs(value - 1)}[measure.better]


def _differences(whole: Mapping[str, Any], track: str) -> str:
    """Which makers differ: figures of the same clips, one less the other."""
    found = [pair for pair in whole["pairs"] if pair["track"] == track]
    couples = list(dict.fromkeys((pair["a"], pair["b"]) for pair in found))
    # Against the baseline everything differs; it is shown only where there is nothing else.
    telling = [c for c in couples if not c[0].startswith(f"{STILL}-")] or couples
    telling = telling[:MOST_COUPLES]
    table = {(pair["measure"], pair["a"], pair["b"]): pair for pair in found}
    lines = []
    for measure in measures(track):
        cells = [table.get((measure.name, *couple)) for couple in telling]
        if any(cell and cell["difference"] is not None for cell in cells):
            parts = "".join(_difference(measure, cell) for cell in cells)
            lines.append(f"<tr><th>{escape(measure.title)}</th>{parts}</tr>")
    if not lines:
        return ""
    words = [(escape(a.replace("-", " ")), escape(b.replace("-", " "))) for a, b in telling]
    heads = "".join(f"<th>{b}<small>less {a}</small></th>" for a, b in words)
    head = f"<thead><tr><th></th>{heads}</tr></thead>"
    return (
        "<details><summary>What differs, clip by clip</summary>"
        "<p>One figure less the other on the same clips, with its "
        "95 % interval. Bold: the interval leaves 0 out; ✓ for the better, ✗ for the worse. Where nothing is bold, "
        "nobody can say which is better. Of twenty figures that are equal, one is bold by chance.</p>"
        f'<div class="scroll"><table>{head}<tbody>{"".join(lines)}</tbody></table></div></details>'
    )


def _difference(measure: Measure, cell: Row | None) -> str:
    if cell is None or cell["difference"] is None:
        return '<td class="none">–</td>'
    digits = measure.digits + 1
    figure = f"{cell['difference']:+.{digits}f}"
    if cell["low"] is None:
        return f"<td>{figure}<small>{cell['n']}</small></td>"
    if cell["low"] > 0 or cell["high"] < 0:
        good = {"higher": cell["difference"] > 0, "lower": cell["difference"] < 0}.get(measure.better)
        figure = f"<b>{figure}{'' if good is None else ' ✓' if good else ' ✗'}</b>"
    return f"<td>{figure}<small>{cell['low']:+.{digits}f} – {cell['high']:+.{digits}f} · {cell['n']}</small></td>"


def _groups(whole: Mapping[str, Any], track: str, makers: Sequence[Maker], colours: Mapping[str, int]) -> str:
    groups = [
        g for g in dict.fromkeys(row["group"] for row in pick(whole, track=track)) if g != main_group(whole, track)
    ]
    if not groups:
        return ""
    parts = []
    for group in groups:
        count = max((row["n"] for row in pick(whole, track=track, group=group)), default=0)
        title = escape(GROUP_TITLES.get(group, group.capitalize()))
        body = _tables(whole, track, group, makers, colours)
        parts.append(f"<details><summary>{title} <small>{count} clips</small></summary>{body}</details>")
    return f"<h3>By condition</h3>{''.join(parts)}"


# the rest


def _failed(about: Row) -> str:
    if not about["failed"]:
        return ""
    lines = "".join(f"<li><b>{escape(f['clip'])}</b> {escape(f['reason'])}</li>" for f in about["failed"])
    return f"<h3>Could not be measured</h3><ul>{lines}</ul>"


def _about(whole: Mapping[str, Any]) -> str:
    parts = []
    for track, about in whole["runs"].items():
        facts = {
            "command": about["command"],
            "made": f"{about['created']}, in {about['seconds']:g} s",
            "seed": about["seed"],
            "size": ", ".join(f"{k} {v}" for k, v in about["size"].items() if v is not None),
            "versions": ", ".join(f"{k} {v}" for k, v in about["versions"].items()),
            "machine": ", ".join(f"{k} {v}" for k, v in about["machine"].items()),
            "fingerprint": about["fingerprint"],
        }
        lines = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in facts.items())
        hashes = "".join(f"<dt>{escape(k)}</dt><dd><code>{escape(v)}</code></dd>" for k, v in about["weights"].items())
        parts.append(
            f"<h3>Track {escape(track)}</h3><dl>{lines}</dl>"
            f"<details><summary>Networks’ sha256</summary><dl>{hashes}</dl></details>"
        )
    return (
        '<section id="about"><h2>About these figures</h2>'
        "<p>Movement and identity are judged by networks that have no part in making a clip: OpenSeeFace "
        "(landmarks, gaze), FSA-Net (head pose), MobileFaceNet (identity; trained on MS-Celeb-1M). "
        "A still picture is always like itself: likeness means something only "
        "beside movement. What each figure means stands in docs/evaluate.md.</p>"
        '<p class="warning">This page may show people who gave no release: keep it to yourself. The tables may '
        f"be published, the pictures not.</p>{''.join(parts)}</section>"
    )
