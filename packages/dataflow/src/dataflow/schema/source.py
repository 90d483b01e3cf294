"""Classes -> the Python source of a module that declares them. Pure.

Rule: every name in it was made by `dataflow.schema.classes`, and every other word of the database is written by repr
      or in a comment of one line.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from msgspec import Meta

from dataflow.model import naming
from dataflow.model.spec import Column, ForeignKey
from dataflow.schema.classes import Choice, Class, Classes, Field
from dataflow.schema.pythonic import NAIVE, text_of

ALIASED: Final = 2  # uses of a type that give it a name of its own
_IMPORTS: Final = (  # a word of the source, and the line that it needs
    (r"\bdt\.", "import datetime as dt"),
    (r"\bDecimal\b", "from decimal import Decimal"),
    (r"\(Enum\)", "from enum import Enum"),
    (r"\bAnnotated\b", "from typing import Annotated"),
    (r"\bUUID\b|\buuid4\b", "from uuid import UUID, uuid4"),
)


def module(found: Classes, name: str) -> str:
    """Return the source of a module with all models of the database *name*."""
    body = declarations(found)
    lines = [line for word, line in _IMPORTS if re.search(word, body)]
    if re.search(r"\bMeta\b", body):
        lines += ["", "from msgspec import Meta", ""]
    ours = [word for word in ("Column", "DataFlow", "ForeignKey") if word == "DataFlow" or f"{word}(" in body]
    lines += ["", f"from dataflow import {', '.join(ours)}"]
    imports = re.sub("\n\n+", "\n\n", "\n".join(lines)).strip()
    named = _comment(name).replace("\\", "\\\\")
    head = f'"""The tables of {named}, as dataflow found them."""\n\n{imports}\n\n'
    db = "# Without existing_schema_mode, dataflow makes the tables what the classes say.\n"
    return f"{head}{db}db = DataFlow(existing_schema_mode=True)\n{body}"


def declarations(found: Classes) -> str:
    """Return the source of the classes alone; it needs ``db`` and the names that `module` imports."""
    aliases = _aliases(found.classes)
    parts = [
        f"{name} = Annotated[{kind}, Column(type={text_of(spelled)})]" for (kind, spelled), name in aliases.items()
    ]
    blocks = ["\n".join(parts)] if parts else []
    blocks += ["\n".join(_choice(choice)) for choice in found.choices]
    classes = ["\n".join(_class(each, aliases)) for each in found.classes]
    if any("= now" in text for text in classes):
        blocks.append(
            'def now() -> dt.datetime:\n    """Return the time, in UTC."""\n    return dt.datetime.now(dt.UTC)'
        )
    left_out = [f"#   {_comment(name)}: {_comment(reason)}" for name, reason in found.left_out.items()]
    if left_out:
        classes.append("\n".join(["# No model stands for these:", *left_out]))
    return "".join(f"\n\n{block}\n" for block in [*blocks, *classes])


def register(found: Classes, model: Callable[[type], type]) -> list[str]:
    """Declare the models of *found* by *model*, a decorator; return their names."""
    names: dict[str, Any] = {"db": SimpleNamespace(model=model), "__name__": "dataflow.discovered"}
    names |= {"dt": datetime, "Decimal": Decimal, "Enum": Enum, "Annotated": Annotated, "UUID": UUID, "uuid4": uuid4}
    names |= {"Meta": Meta, "Column": Column, "ForeignKey": ForeignKey}
    exec(compile(declarations(found), "<discovered>", "exec", dont_inherit=True), names)
    return [each.name for each in found.classes]


def _aliases(classes: Iterable[Class]) -> dict[tuple[str, str], str]:
    """Name the types that are said again and again: ``Integer = Annotated[int, Column(type="integer")]``."""
    counted = Counter((_written(field), field.type) for each in classes for field in each.fields if field.kind.said)
    taken, aliases = {each.name for each in classes}, {}
    for (kind, spelled), count in counted.items():
        name = "".join(word.capitalize() for word in naming.slug(spelled).split("_"))
        if count >= ALIASED and kind[:1].islower() and name not in taken and name.isidentifier():
            aliases[kind, spelled] = name
            taken.add(name)
    return aliases


def _choice(choice: Choice) -> Iterator[str]:
    yield f"class {choice.name}(Enum):"
    for value, member in choice.members.items():
        yield f"    {member} = {text_of(value)}"


def _class(made: Class, aliases: dict[tuple[str, str], str]) -> Iterator[str]:
    yield "@db.model"
    yield f"class {made.name}:"
    if naming.table_name(made.name) != made.table:
        yield f"    __tablename__ = {text_of(made.table)}"
    if not made.timestamps:
        yield '    __dataflow__ = {"timestamps": False}'
    if made.indexes:
        yield "    __indexes__ = ["
        yield from (f"        {_index(index)}," for index in made.indexes)
        yield "    ]"
    yield ""
    fields = [_field(field, aliases) for field in made.fields if not _goes_without_saying(field)]
    yield from fields or ["    id: int"]
    yield from (f"    # {_comment(note)}" for note in made.notes)


def _index(index: tuple[tuple[str, ...], bool, str]) -> str:
    fields, unique, name = index
    said = [f'"fields": [{", ".join(map(text_of, fields))}]']
    said += ['"unique": True'] if unique else []
    said += [f'"name": {text_of(name)}'] if name else []
    return f"{{{', '.join(said)}}}"


def _goes_without_saying(field: Field) -> bool:
    """Whether it is the ``id`` that every model has."""
    plain = (field.kind.text, field.kind.said, field.made, field.key) == ("int", False, True, None)
    return field.name == field.column == "id" and plain


def _field(field: Field, aliases: dict[tuple[str, str], str]) -> str:
    kind, marks, said = _written(field), [], field.kind.said
    if said and (kind, field.type) in aliases:
        kind, said = aliases[kind, field.type], False
    column = [text_of(field.column)] if field.column != field.name else []
    column += [f"type={text_of(field.type)}"] if said else []
    column += [] if field.made else ["made=False"]
    if field.kind.longest is not None:
        marks.append(f"Meta(max_length={field.kind.longest})")
    if field.kind.text == NAIVE:
        marks.append("Meta(tz=False)")
    if column:
        marks.append(f"Column({', '.join(column)})")
    if field.key is not None:
        target, on_delete = field.key
        rule = f", on_delete={text_of(on_delete)}" if on_delete else ""
        marks.append(f"ForeignKey({text_of(target)}{rule})")
    annotation = f"Annotated[{', '.join([kind, *marks])}]" if marks else kind
    annotation += " | None" if field.nullable else ""
    default = field.default or ("None" if field.nullable and field.name != "id" else "")
    note = f"  # {_comment(field.note)}" if field.note else ""
    return f"    {field.name}: {annotation}{f' = {default}' if default else ''}{note}"


def _written(field: Field) -> str:
    return "dt.datetime" if field.kind.text == NAIVE else field.kind.text


def _comment(text: str) -> str:
    """Return *text* so that it stays in its comment."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split()).replace('"""', "'''")
