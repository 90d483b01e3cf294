"""A picture of a plan, in Mermaid's flowchart language (https://mermaid.js.org/syntax/flowchart.html)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kailash.workflow.plan import Plan, Step

SHAPES: Final = {"writes": ('["', '"]'), "reads": ('(["', '"])'), "pure": ('("', '")')}


def draw(plan: Plan) -> str:
    """Return the flowchart of *plan*: nodes by what they touch, arrows for values, dotted ones for branches."""
    steps = list(plan.flat())
    short = {step.id: f"n{number}" for number, step in enumerate(steps)}
    lines = ["flowchart TD"]
    lines += [f"    {short[step.id]}{_box(step)}" for step in steps]
    for step in steps:
        lines += [f"    {line}" for line in _arrows(step, short)]
    for cycle in plan.steps:
        if cycle.body is not None and cycle.feedback is not None:
            first = next(cycle.body.flat())
            label = _safe(f"{cycle.feedback.name}, at most {cycle.feedback.limit}")
            lines += [f'    {short[source]} -. "{label}" .-> {short[first.id]}' for source in cycle.feedback.sources]
    return "\n".join(lines) + "\n"


def _box(step: Step) -> str:
    if step.node.routes:
        return f'{{"{_label(step)}"}}'
    left, right = SHAPES[step.node.effect]
    return f"{left}{_label(step)}{right}"


def _label(step: Step) -> str:
    return _safe(f"{step.id}") + "<br/>" + _safe(step.node.name)


def _arrows(step: Step, short: dict[str, str]) -> Iterator[str]:
    here = short[step.id]
    if step.gate is not None:
        for source, key in step.gate.controls:
            yield f'{short[source]} -. "{_safe(key)}" .-> {here}'
    values = {
        (reference.name, ".".join(str(part) for part in reference.path))
        for bindings in step.inputs.sources.values()
        for binding in bindings
        for reference in binding.references
        if reference.space == "node"
    }
    for source, path in sorted(values):
        yield f'{short[source]} -- "{_safe(path)}" --> {here}' if path else f"{short[source]} --> {here}"


def _safe(text: str) -> str:
    """Text inside a quoted label: entities for what Mermaid or HTML would read."""
    return "".join(letter if letter.isalnum() or letter in " _-.,[]" else f"#{ord(letter)};" for letter in text)
