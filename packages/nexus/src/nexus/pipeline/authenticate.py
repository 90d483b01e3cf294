"""Who is asking."""

from __future__ import annotations

from kailash.context import Context
from nexus.call import Draft


async def anonymous(draft: Draft) -> Draft:
    """Admit everybody as nobody in particular: what an application has that did not ask for authentication."""
    call = draft.call
    context = Context(request_id=call.request_id, channel=call.channel)
    return Draft(call, draft.capability, context, draft.inputs)
