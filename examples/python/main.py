"""Upserts members, pages through all of them, and handles an error by its code.

    MEMBERBASE_URL=http://127.0.0.1:8080 MEMBERBASE_TOKEN=... python main.py
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from memberbase_client import (
    BulkUpsertMembersInput,
    Client,
    DeleteMembersInput,
    GraphQLClientGraphQLMultiError,
    MemberInput,
    MembersPageMembersNodes,
    OnRowError,
    UpsertOutcome,
)

URL = os.environ.get("MEMBERBASE_URL", "http://127.0.0.1:8080")
TOKEN = os.environ["MEMBERBASE_TOKEN"]


async def all_members(client: Client, memberbase_id: str) -> AsyncIterator[MembersPageMembersNodes]:
    """Every member of a memberbase, page by page."""
    after: str | None = None
    while True:
        page = (await client.members_page(memberbase_id, after)).members
        assert page
        for member in page.nodes:
            yield member
        if not page.page_info.has_next_page:
            return
        after = page.page_info.end_cursor


def code_of(error: GraphQLClientGraphQLMultiError) -> object:
    """The code of an answer's first error."""
    return (error.errors[0].extensions or {}).get("code")


async def main() -> None:
    async with Client(f"{URL}/graphql", headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        created = (await client.create_memberbase(f"python {time.time_ns()}")).create_memberbase
        assert created
        memberbase_id = created.memberbase.id

        # Upsert: one outcome for each row. The empty ref is bad; SKIP_FAILED stores the others all the same.
        refs = [f"reader-{number}" for number in range(25)]
        changed = datetime(2026, 1, 31, 12, tzinfo=UTC)
        upserted = (
            await client.upsert_members(
                BulkUpsertMembersInput(
                    memberbaseId=memberbase_id,
                    members=[MemberInput(ref=ref, sourceUpdatedAt=changed) for ref in [*refs, ""]],
                    onError=OnRowError.SKIP_FAILED,
                )
            )
        ).bulk_upsert_members
        assert upserted
        for row in upserted.results:
            what = f"{row.error.code.value}, {row.error.message}" if row.error else f"{row.ref} is {row.member_id}"
            print(f"row {row.index}: {row.outcome.value} {what}")
        assert upserted.summary.created == len(refs)
        assert upserted.results[-1].outcome is UpsertOutcome.FAILED

        # Page through everything: each member once.
        seen = [member.ref async for member in all_members(client, memberbase_id)]
        print(f"paged through {len(seen)} members")
        assert seen == sorted(refs)

        # Handle an error by its code. The guard `at_most` keeps a wrong list from deleting too much.
        try:
            await client.delete_members(DeleteMembersInput(memberbaseId=memberbase_id, refs=refs, atMost=1))
        except GraphQLClientGraphQLMultiError as error:
            if code_of(error) != "LIMIT_EXCEEDED":
                raise
            print("more members than expected would go: nothing was deleted")
        else:
            raise AssertionError("at_most did not hold")

        deleted = (await client.delete_memberbase(memberbase_id)).delete_memberbase
        assert deleted
        print(f"deleted the memberbase and its {deleted.deleted.members} members")


asyncio.run(main())
