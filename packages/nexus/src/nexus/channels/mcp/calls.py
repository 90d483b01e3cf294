"""A tool's name and arguments in, a reply out: the translation to `Call` and back.

Rule 1: a refusal that the model can act on is a reply with ``failed``, and its text is the problem document that REST
would send. Only an unknown tool is raised: there the question itself is wrong.
Rule 2: a failed reply has no structured part, because clients check that against the tool's own output schema.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kailash.capability import Catalogue, Nature
from kailash.errors import KailashError, Kind
from kailash.shapes import encode_json
from nexus import wire
from nexus.call import Answer, Call
from nexus.channels.mcp import guide, names, tools
from nexus.channels.mcp.tools import Tool, Toolset
from nexus.errors import TooLargeError
from nexus.options import Options

# Bytes of one result that only reads. Arbitrary: about 250,000 tokens, more than the context of any model takes.
LARGEST_RESULT: Final = 1_000_000

MOST_ROWS: Final = 1000  # records of one list, where the application sets no bound of its own

_REQUEST_ID: Final = "x-request-id"


class InvalidPageError(KailashError):
    """A list asks for more records than one page may have."""

    kind = Kind.MALFORMED
    code = "invalid_page"  # as REST and dataflow say it


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a call came to, before it is put in the SDK's terms."""

    text: str  # JSON: the result, or the problem document
    structured: dict[str, Any] | None = None
    note: str = ""  # a sentence for the model beside the result
    failed: bool = False


class Desk:
    """Where tools are listed and called: the catalogue's present state as tools, and the way to `Answer`.

    Raises: ConfigurationError when the options' prefix cannot begin a name.
    """

    def __init__(self, catalogue: Catalogue, answer: Answer, options: Options) -> None:
        self._catalogue = catalogue
        self._answer = answer
        self._prefix = names.check_prefix(options.mcp_tool_prefix)
        self._budget = options.mcp_tool_budget
        self._rows = options.max_records or MOST_ROWS
        self._guide = guide.Guide(self._prefix)
        self._seen: tuple[int, ...] | None = None
        self._all = Toolset(())

    @property
    def all(self) -> Toolset:
        """Every tool that can be called, made anew when the catalogue has changed."""
        revision = self._catalogue.revision
        if revision != self._seen:
            self._all = tools.from_catalogue(self._catalogue, self._prefix, self._rows)
            self._seen = revision
        return self._all

    @property
    def listed(self) -> Toolset:
        """The tools that are shown: all of them, or the guide's three when there are more than the budget."""
        return self._guide.toolset if len(self.all.tools) > self._budget else self.all

    def find(self, name: str) -> Tool:
        """Return the tool of that name, listed or not. Raises: NoSuchCapabilityError."""
        if name in self._guide.words and self.listed is self._guide.toolset:
            return self._guide.toolset.find(name)
        return self.all.find(name)

    async def call(self, name: str, arguments: Mapping[str, Any], credentials: Mapping[str, str]) -> Reply:
        """Call a tool. Raises: NoSuchCapabilityError when there is none of that name."""
        tool = self.find(name)
        request_id = credentials.get(_REQUEST_ID) or secrets.token_hex(8)
        try:
            if tool.capability is None:
                return await self._guided(self._guide.words[tool.name], arguments, credentials, request_id)
            return await self._ask(tool, arguments, credentials, request_id)
        except KailashError as error:
            return _refusal(error, tool.name, request_id)

    async def _ask(
        self, tool: Tool, arguments: Mapping[str, Any], credentials: Mapping[str, str], request_id: str
    ) -> Reply:
        capability = tool.capability
        assert capability is not None
        if capability.action == "list":
            arguments = self._bounded(arguments)
        outcome = await self._answer(Call("mcp", capability.name, arguments, credentials, request_id))
        if outcome.error is not None:
            # An UnconfirmedError arrives here as well: the one place from which a person will be asked.
            raise outcome.error
        text = encode_json(outcome.value)
        if len(text) > LARGEST_RESULT and capability.nature is Nature.READ:
            raise TooLargeError(
                f"the result has {len(text):,} bytes, over the limit of {LARGEST_RESULT:,}",
                hint="ask for fewer records with 'limit', or for some of the fields with 'fields'",
            )
        return Reply(text=text.decode(), structured=msgspec.json.decode(text), note=_rest(outcome.value))

    def _bounded(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return *arguments* with a number of records that one page may have."""
        if "limit" not in arguments:
            return {**arguments, "limit": min(tools.DEFAULT_ROWS, self._rows)}
        limit = arguments["limit"]
        if isinstance(limit, int) and limit > self._rows:
            raise InvalidPageError(
                f"a page cannot have {limit} records",
                hint=f"give 1 to {self._rows}, and follow next_cursor for more",
            )
        return arguments

    async def _guided(
        self, word: str, arguments: Mapping[str, Any], credentials: Mapping[str, str], request_id: str
    ) -> Reply:
        given = self._guide.shapes[word].check(arguments)
        if word == guide.SEARCH:
            return _told(guide.search(self.all, given.get("query", ""), given.get("limit", guide.USUAL)))
        tool = self.all.find(given["name"])
        if word == guide.DESCRIBE:
            return _told(guide.describe(tool))
        return await self._ask(tool, given.get("arguments", {}), credentials, request_id)


def _told(value: dict[str, Any]) -> Reply:
    return Reply(text=encode_json(value).decode(), structured=value)


def _rest(value: Mapping[str, Any]) -> str:
    """Return the sentence that says how to go on, when a list has more than it returned."""
    cursor = value.get("next_cursor")
    if not cursor:
        return ""
    return f"truncated after {value.get('count')} records; next cursor: {cursor}"


def _refusal(error: KailashError, tool: str, request_id: str) -> Reply:
    problem = wire.problem(error, instance=tool, request_id=request_id)
    return Reply(text=encode_json(problem).decode(), failed=True)
