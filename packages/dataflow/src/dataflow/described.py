"""What a database says of its models and of its schema, to whoever wants to know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from dataflow import capabilities
from dataflow.model.registry import Models
from dataflow.model.spec import ModelSpec
from dataflow.schema.front import Schema
from kailash._standard import asyncio

if TYPE_CHECKING:
    from dataflow.schema.discovery import Discovery


class Schemed(Protocol):
    """What has a schema."""

    @property
    def schema(self) -> Schema:
        """The schema."""


class Described:
    """The part of `dataflow.DataFlow` that only looks."""

    models: Models

    def spec(self, model: str) -> ModelSpec:
        """Return the spec of the model of that name. Raises: UnknownModelError."""
        return self.models[model].spec

    def list_models(self) -> list[str]:
        """Return the names of all models."""
        return [*self.models.names]

    def get_models(self) -> dict[str, ModelSpec]:
        """Return ``{name: spec}`` of all models."""
        return {model.name: model.spec for model in self.models}

    def get_model_fields(self, model: str) -> dict[str, Any]:
        """Return the JSON Schema of each field of a model."""
        fields: dict[str, Any] = self.spec(model).record.schema()["properties"]
        return fields

    def get_model_info(self, model: str) -> dict[str, Any]:
        """Return the name, the table, the fields, the indexes, the relations and the operations of a model."""
        return capabilities.described(self.models[model])

    def discover_schema(self: Schemed, tables: Iterable[str] | None = None) -> Discovery:
        """Return the tables and views that the database has (or *tables* alone): columns, keys, indexes, relations."""
        return self.schema.discover(tables)

    async def discover_schema_async(self: Schemed, tables: Iterable[str] | None = None) -> Discovery:
        """Like `discover_schema`, in a thread."""
        return await asyncio.to_thread(self.schema.discover, tables)
