"""What a node uploads to a job that it does not hold any more: refused, and kept apart."""

from contextlib import aclosing

from hub.api.jobs import AnyRequest
from hub.api.uploads import body_of, check_key
from hub.errors import HubError
from hub.lifecycle.commands import Actor
from hub.lifecycle.quarantine import Quarantine
from hub.lifecycle.refusals import NotYours
from hub.outputs.store import OutputStore, StoredBytes
from orm.queries.quarantine import Late


class LateUpload:
    """One upload that comes too late, or may do so before its end.

    Args:
        quarantine: Where it is kept.
        actor: Who brings it.
        job: To which job, as output ``name`` of type ``type_text``.
    """

    def __init__(
        self, quarantine: Quarantine, actor: Actor, job: int, name: str, type_text: str
    ) -> None:
        self._quarantine = quarantine
        self._node = actor.node
        self._late = Late(job, actor.node or 0, actor.account or 0, name, type_text)

    async def refused(self, request: AnyRequest, store: OutputStore) -> NotYours:
        """Take the bytes in, unless they are too many, and return the answer to their sender."""
        if not self._quarantine.may_take(request.content_length):
            return self._refusal(is_kept=False)
        try:
            check_key(self._late.name, self._late.type)
            async with aclosing(body_of(request)) as chunks:
                limit = self._quarantine.limit_bytes
                stored = await store.receive(chunks, limit_bytes=limit)
        except HubError:  # whatever is wrong with them, they are refused anyway
            return self._refusal(is_kept=False)
        return self._refusal(is_kept=await self._quarantine.keep(self._late, stored))

    async def refused_after(self, stored: StoredBytes, refusal: NotYours) -> NotYours:
        """Return the answer when the job changed hands while the bytes came."""
        if self._node is None:
            return refusal
        return self._refusal(is_kept=await self._quarantine.keep(self._late, stored))

    def _refusal(self, *, is_kept: bool) -> NotYours:
        told = f"node {self._late.node} does not hold job {self._late.job} any more"
        if is_kept:
            return NotYours(f"{told}; these bytes are kept apart for an administrator")
        return NotYours(told)
