"""When to try a node again; the policy is part of a workflow and lives there."""

from __future__ import annotations

from kailash.workflow.retry import RetryPolicy, retry_of

__all__ = ["RetryPolicy", "retry_of"]
