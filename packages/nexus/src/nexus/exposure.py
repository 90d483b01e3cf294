"""Which capabilities each channel has: what is hidden on a channel cannot be called over it either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from kailash.capability import Capability, Catalogue, Nature, Provider
from nexus.call import Call
from nexus.options import Options

Rule: TypeAlias = Callable[[Capability], bool]

CHANNELS: Final = ("rest", "cli", "mcp")


class Shown:
    """A provider without what a rule hides."""

    def __init__(self, provider: Provider, rule: Rule) -> None:
        self._provider = provider
        self._rule = rule

    def capabilities(self) -> Iterable[Capability]:
        return [each for each in self._provider.capabilities() if self._rule(each)]

    @property
    def revision(self) -> int:
        return self._provider.revision

    def prepare(self) -> None:
        self._provider.prepare()

    def close(self) -> None:
        self._provider.close()


class Exposure:
    """The catalogue of each channel, and the one of code in this process, which has everything."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = dict(rules)
        self._everything = Catalogue()
        self._shown = {channel: Catalogue() for channel in rules}
        self._inner = Catalogue()

    def add(self, provider: Provider) -> None:
        """Offer *provider* on every channel. Adding it again changes nothing."""
        if any(provider is known for known in self._everything.providers):
            return
        self._everything.add(provider)
        for channel, catalogue in self._shown.items():
            catalogue.add(Shown(provider, self._rules[channel]))

    def add_inner(self, provider: Provider) -> None:
        """Answer what *provider* has without listing it: its names begin with ``:``, as no other name does."""
        self._inner.add(provider)

    def on(self, channel: str) -> Catalogue:
        """Return the catalogue of *channel*; of a channel without a rule, everything."""
        return self._shown.get(channel, self._everything)

    def find(self, call: Call) -> Capability:
        """Return the capability that *call* names, if its channel has it.

        Raises: NoSuchCapabilityError, with the closest names of that channel.
        """
        if call.capability[:1] == ":":
            return self._inner.find(call.capability)
        return self._shown.get(call.channel, self._everything).find(call.capability)


def rules(options: Options) -> dict[str, Rule]:
    """Return what *options* show on each channel."""
    return {
        "rest": _rule(options, shown=options.generate_endpoints) if options.enable_api else _nothing,
        "cli": _rule(options, shown=options.generate_commands) if options.enable_cli else _nothing,
        "mcp": _agents_rule(options) if options.enable_mcp else _nothing,
    }


def _nothing(capability: Capability) -> bool:
    return False


def _rule(options: Options, *, shown: bool) -> Rule:
    """What a channel shows of resources; workflows are always shown."""
    bulk, totals = options.expose_bulk, options.expose_aggregations

    def rule(capability: Capability) -> bool:
        if not capability.resource:
            return True
        return shown and (bulk or not capability.bulk) and (totals or capability.action != "aggregate")

    return rule


def _agents_rule(options: Options) -> Rule:
    agents = options.agents
    general = _rule(options, shown=options.generate_tools)

    def rule(capability: Capability) -> bool:
        allowed = agents.read if capability.nature is Nature.READ else agents.write
        kinds = (agents.bulk or not capability.bulk) and (agents.analytics or capability.action != "aggregate")
        return allowed and kinds and general(capability)

    return rule
