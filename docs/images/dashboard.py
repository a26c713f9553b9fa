#!/usr/bin/env python3
"""Draws docs/images/dashboard.svg: the dashboard of template.yaml, as it looks with made-up figures.

    python docs/images/dashboard.py

Places, titles and metrics are the template's. The curves are not: no stack was asked. Needs PyYAML.
"""

import json
import math
import random
import re
from pathlib import Path
from xml.sax.saxutils import escape

import yaml

HERE = Path(__file__).resolve().parent
COLUMN, ROW, GAP = 58, 38, 8
WIDTH = 24 * COLUMN + GAP
TOP = 62
PALETTE = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#aec7e8"]
# What a search finds in the shop of the sample.
FOUND = {"provider": ["wxpay", "alipay"], "incident": ["late_payment", "second_payment"]}
# How a metric of the sample runs: its height by day, how much it varies, and what now and then happens.
SAMPLE = {
    "created": (42, 0.2, 0), "paid": (33, 0.2, 0), "paid wxpay": (22, 0.25, 0), "paid alipay": (11, 0.3, 0),
    "paid of created": (79, 0.04, 0), "undelivered": (0, 0, 0.02), "late_payment": (0, 0, 0.05), "second_payment": (0, 0, 0.02),
    "p50": (38, 0.15, 0), "p99": (260, 0.5, 0.02), "wrong signatures": (0, 0, 0.04),
    "wxpay p50": (120, 0.1, 0), "alipay p50": (160, 0.1, 0), "wxpay p99": (420, 0.3, 0.02), "alipay p99": (610, 0.3, 0.02),
    "wxpay": (0, 0, 0.05), "alipay": (0, 0, 0.03), "items": (6, 0.6, 0), "age of the oldest, s": (35, 0.5, 0.01),
    "create-payment": (310, 0.2, 0.02), "query-payment": (190, 0.25, 0), "refund": (430, 0.2, 0), "notify": (60, 0.3, 0),
    "at once": (14, 0.3, 0), "read": (160, 0.2, 0), "write": (520, 0.2, 0), "throttles": (0, 0, 0),
}
# What never happens in the sample's six hours.
QUIET = {"Errors", "Throttles", "ReadThrottleEvents", "WriteThrottleEvents"}


class Loader(yaml.SafeLoader):
    """Reads what CloudFormation writes with tags as the tag's value alone."""


def untagged(loader, suffix, node):
    kinds = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence}
    return kinds.get(type(node), loader.construct_mapping)(node, *([True] if not isinstance(node, yaml.ScalarNode) else []))


Loader.add_multi_constructor("!", untagged)


def widgets():
    """The widgets of the dashboard, and the alarms that its first one lists."""
    template = yaml.load((HERE.parents[1] / "template.yaml").read_text(), Loader)
    text, values = template["Resources"]["OperationsDashboard"]["Properties"]["DashboardBody"]
    alarms = [name.group(1) for name in re.finditer(r"\$\{(\w+)\.Arn\}", json.dumps(values["Alarms"]))]
    alarms = [name for name in alarms if name != "HttpApiAlarm"]
    known = {"Alarms": ", ".join(f'"{name}"' for name in alarms), "AWS::StackName": "vk-pay", "AWS::Region": "ap-east-1"}
    filled = re.sub(r"\$\{(!?)([^}]+)\}", lambda m: f"${{{m[2]}}}" if m[1] else known.get(m[2], m[2]), text)
    return json.loads(filled)["widgets"]


def series(properties):
    """Label, metric, colour and axis of each curve of a widget."""
    curves = []
    for metric in properties["metrics"]:
        options = metric[-1] if isinstance(metric[-1], dict) else {}
        if options.get("visible") is False:
            continue
        axis, label = options.get("yAxis", "left"), options.get("label", metric[1] if len(metric) > 1 else "")
        found = re.search(r"PROP\('Dim\.(\w+)'\)", label)
        if found:
            name = re.search(r'MetricName="(\w+)"', options["expression"])[1]
            for value in FOUND[found[1]]:
                curves.append((re.sub(r"\$\{[^}]+\}", value, label), name, None, axis))
        else:
            name = metric[1] if len(metric) > 1 else options["expression"]
            curves.append((label, name, options.get("color"), axis))
    # Colours that nobody gave differ from those that somebody did.
    free = [colour for colour in PALETTE if colour not in {curve[2] for curve in curves}]
    return [(label, name, colour or free[n % len(free)], axis) for n, (label, name, colour, axis) in enumerate(curves)]


def names(properties):
    """The metrics of a widget, as the template spells them."""
    found = []
    for metric in properties["metrics"]:
        options = metric[-1] if isinstance(metric[-1], dict) else {}
        search = re.search(r'MetricName="(\w+)"', options.get("expression", ""))
        name = search[1] if search else metric[1] if len(metric) > 1 else None
        if name and name not in found:
            found.append(name)
    return found


def values(label, name, points):
    """A made-up curve, the same at each run."""
    chance = random.Random(f"{name} {label}")
    known = f"{name} {label}" if f"{name} {label}" in SAMPLE else label
    level, spread, event = SAMPLE.get(known, (0, 0, 0))
    if name in QUIET or name == "ApproximateAgeOfOldestMessage":
        level, spread, event = (4, 0.5, 0) if label.startswith("orders-") and label.removeprefix("orders-") in FOUND["provider"] else (0, 0, 0)
    curve = []
    for n in range(points):
        day = 0.75 + 0.25 * math.sin(n / points * 5 - 1) if level and "%" not in name and "paid of" not in label else 1
        value = level * day * (1 + spread * (chance.random() * 2 - 1))
        if chance.random() < event:
            value = value * 2.2 if level else 1
        curve.append(max(0, value))
    return curve


def nice(top):
    """A round number not below."""
    if top <= 0:
        return 1
    power = 10 ** math.floor(math.log10(top))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= top)


def short(number):
    return f"{number / 1000:g}k" if number >= 1000 else f"{number:g}"


def text(x, y, words, size=11, colour="#16191f", anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def legend(curves, x, width):
    """Rows of labels, as many as fit."""
    rows, at = [[]], 0
    for label, _, colour, _ in curves:
        wide = 18 + 5.6 * len(label)
        if at and at + wide > width:
            rows.append([])
            at = 0
        rows[-1].append((x + at, label, colour))
        at += wide + 6
    return rows


def chart(properties, x, y, width, height):
    out, curves = [], series(properties)
    rows = legend(curves, x + 12, width - 24)
    right = any(axis == "right" for *_, axis in curves)
    box = (x + 46, y + 52, x + width - (44 if right else 14), y + height - 24 - 14 * len(rows))
    left, above, end, below = box
    points = 12 if properties["period"] == 3600 else 72
    drawn = [(label, colour, axis, values(label, name, points)) for label, name, colour, axis in curves]
    marks = properties.get("annotations", {}).get("horizontal", [])
    tops = {}
    for side in ("left", "right"):
        high = max((max(curve) for _, _, axis, curve in drawn if axis == side), default=0)
        high = max([high] + [mark["value"] for mark in marks if mark.get("yAxis", "left") == side])
        tops[side] = nice(high * 1.08)
    for n in range(5):
        level = below - (below - above) * n / 4
        out.append(f'<line x1="{left}" x2="{end}" y1="{level:.1f}" y2="{level:.1f}" stroke="#eaeded"/>')
        if n % 2 == 0:
            out.append(text(left - 6, level + 4, short(tops["left"] * n / 4), 10, "#687078", "end"))
            if right:
                out.append(text(end + 6, level + 4, short(tops["right"] * n / 4), 10, "#687078"))
    axes = properties.get("yAxis", {})
    out.append(text(x + 12, y + 44, axes.get("left", {}).get("label", ""), 10, "#687078"))
    if right:
        out.append(text(x + width - 12, y + 44, axes["right"]["label"], 10, "#687078", "end"))
    for n in range(7):
        place = left + (end - left) * n / 6
        if n % 2 == 0:
            out.append(text(place, below + 14, f"{9 + n:02d}:00", 10, "#687078", "middle"))
    for mark in marks:
        level = below - (below - above) * mark["value"] / tops[mark.get("yAxis", "left")]
        out.append(f'<line x1="{left}" x2="{end}" y1="{level:.1f}" y2="{level:.1f}" stroke="{mark["color"]}" stroke-dasharray="4 3"/>')
        out.append(text(end - 4, level - 4, mark["label"], 10, mark["color"], "end"))
    # What is highest is drawn first.
    for _, colour, axis, curve in sorted(drawn, key=lambda one: -sum(one[3])):
        steps = [
            f"{left + (end - left) * n / (len(curve) - 1):.1f},{below - (below - above) * value / tops[axis]:.1f}"
            for n, value in enumerate(curve)
        ]
        out.append(f'<polyline points="{" ".join(steps)}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>')
    for n, row in enumerate(rows):
        base = y + height - 10 - 14 * (len(rows) - 1 - n)
        for place, label, colour in row:
            out.append(f'<rect x="{place:.1f}" y="{base - 8}" width="9" height="9" rx="2" fill="{colour}"/>')
            out.append(text(place + 13, base, label, 10, "#414d5c"))
    return out


def alarms(properties, x, y, width, height):
    out, count = [], 6
    wide = (width - 24 - (count - 1) * 8) / count
    lines = math.ceil(len(properties["alarms"]) / count)
    high = (height - 46 - (lines - 1) * 6) / lines
    for n, name in enumerate(properties["alarms"]):
        left, above = x + 12 + (n % count) * (wide + 8), y + 36 + (n // count) * (high + 6)
        out.append(f'<rect x="{left:.1f}" y="{above:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="3" fill="#f2fcf3" stroke="#b6dcb8"/>')
        out.append(f'<circle cx="{left + 12:.1f}" cy="{above + high / 2:.1f}" r="4.5" fill="#1d8102"/>')
        out.append(text(left + 22, above + high / 2 + 4, name, 11))
    return out


def table(properties, x, y, width, height):
    columns = [("@timestamp", 0.01), ("fields.alarm", 0.2), ("fields.out_trade_no", 0.35), ("fields.provider", 0.52), ("@message", 0.63)]
    lines = [
        ("09:41:07.313", "late_payment", "T20260101017", "wxpay"),
        ("11:02:55.020", "second_payment", "T20260101055", "alipay"),
        ("13:26:40.871", "undelivered", "T20260101091", "wxpay"),
    ]
    out = [f'<rect x="{x + 1}" y="{y + 38}" width="{width - 2}" height="24" fill="#f2f3f3"/>']
    out += [text(x + 12 + share * width, y + 54, name, 11, "#545b64", weight="bold") for name, share in columns]
    for n, (time, kind, number, provider) in enumerate(reversed(lines)):
        base = y + 82 + n * 26
        message = f'{{"timestamp":"2026-01-01T{time}456Z","level":"ERROR","target":…'
        for (_, share), cell in zip(columns, (f"2026-01-01 {time}", kind, number, provider, message)):
            out.append(text(x + 12 + share * width, base, cell, 11))
        out.append(f'<line x1="{x + 1}" x2="{x + width - 1}" y1="{base + 9}" y2="{base + 9}" stroke="#eaeded"/>')
    return out


def main():
    shown = widgets()
    height = TOP + max(w["y"] + w["height"] for w in shown) * ROW + GAP
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="Helvetica, Arial, \'DejaVu Sans\', sans-serif" role="img" aria-label="The dashboard with sample data">',
        f'<rect width="{WIDTH}" height="{height}" fill="#f2f3f3"/>',
        text(GAP + 4, 30, "vk-pay-ap-east-1", 20, weight="bold"),
        text(GAP + 4, 50, "CloudWatch dashboard of template.yaml, the last six hours", 12, "#545b64"),
        f'<rect x="{WIDTH - 298}" y="16" width="290" height="30" rx="4" fill="#fff4e0" stroke="#ec9b32"/>',
        text(WIDTH - 153, 36, "SAMPLE DATA: no stack was asked", 13, "#8a5a00", "middle", "bold"),
    ]
    for w in shown:
        x, y = GAP + w["x"] * COLUMN, TOP + w["y"] * ROW
        wide, high = w["width"] * COLUMN - GAP, w["height"] * ROW - GAP
        out.append(f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="4" fill="#ffffff" stroke="#d5dbdb"/>')
        out.append(text(x + 12, y + 24, w["properties"]["title"], 13, weight="bold"))
        if w["type"] == "metric":
            spelled = " ".join(names(w["properties"]))
            out.append(f"<title>{escape(spelled)}</title>")
            out.append(text(x + wide - 12, y + 24, spelled, 9.5, "#879596", "end"))
        out += {"metric": chart, "alarm": alarms, "log": table}[w["type"]](w["properties"], x, y, wide, high)
    (HERE / "dashboard.svg").write_text("\n".join(out) + "\n</svg>\n")


if __name__ == "__main__":
    main()
