"""Which models the database tells of: those that are audited, and those whose changes somebody wants to hear."""

from __future__ import annotations

from collections.abc import Callable

from dataflow.effects import Deeds
from dataflow.features import keeping, telling
from dataflow.model import relations
from dataflow.model.registry import Model, Models
from dataflow.options import Options


class Told:
    """The wishes of one database. told, audited: what is to be done after the commit of a told, of an audited write."""

    def __init__(
        self, options: Options, models: Models, *, told: Callable[[], Deeds], audited: Callable[[], Deeds]
    ) -> None:
        self._options, self._models = options, models
        self._deeds, self._audited = told, audited
        self._wanted: set[str] = set()

    def want(self, model: str) -> None:
        """Have the changes of *model* told, from the next operation on. Raises: UnknownModelError."""
        known = self._models[model]
        self._wanted.add(model)
        if known.teller is None or not known.teller.told:
            self.decide(known)
            self._models.touch()

    def decide(self, model: Model) -> None:
        """Decide whether the database tells of the model's changes, and whether it keeps the versions of records."""
        said, known = model.spec.options, model.teller
        audited = self._options.audit_logging if said.audit_log is None else said.audit_log
        asked = audited or said.feed or said.workflow_events or model.name in self._wanted
        told = bool(asked or self._options.change_detection_method)
        if (told or said.kept) and (known is None or (told and not known.told)):
            masked = frozenset([field.name for field in model.spec.fields if field.secret or field.encrypted])
            keeper = keeping.Keeper(model.spec) if said.kept else None
            ledger = telling.Ledger(model.spec, audited, masked, self._audited if audited else self._deeds)
            model.teller = telling.Teller(ledger if told else None, keeper)

    def arranged(self) -> list[telling.Teller]:
        """Return how the writes to each model are told, where they, or what goes along with its records, are."""
        found = {model.name: one for model in self._models if isinstance(one := model.teller, telling.Teller)}
        if found:
            for name, others in relations.along([model.spec for model in self._models]).items():
                if carried := [found[other] for other in others if other in found]:
                    if name not in found:
                        found[name] = self._models[name].teller = telling.Teller(None, None)
                    found[name].carry(carried)
        return [*found.values()]
