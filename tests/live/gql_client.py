"""Tests subscriptions with both WebSocket transports of Python's gql.

MEMBERBASE_TEST_URL is the address of the server, MEMBERBASE_TEST_TOKEN an ADMIN token.
"""

import asyncio
import os

from gql import Client, gql
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

URL = os.environ["MEMBERBASE_TEST_URL"].replace("http", "ws", 1) + "/graphql"
TOKEN = os.environ["MEMBERBASE_TEST_TOKEN"]

CREATE = gql('mutation { createMemberbase(input: {name: "gql"}) { memberbase { id } } }')
UPSERT = gql(
    "mutation ($id: ID!, $ref: String!) { bulkUpsertMembers(input: {memberbaseId: $id, members: [{ref: $ref}]}) "
    "{ memberIds } }"
)
CHANGED = gql("subscription ($id: ID!) { memberbaseChanged(memberbaseId: $id) { created createdMemberIds } }")


def request(document, **variables):
    document.variable_values = variables
    return document


async def check(transport):
    """Runs a subscription, queries and mutations over one connection."""
    async with Client(transport=transport) as session:
        base = (await session.execute(CREATE))["createMemberbase"]["memberbase"]["id"]
        events = asyncio.Queue()

        async def listen():
            async for event in session.subscribe(request(CHANGED, id=base)):
                await events.put(event["memberbaseChanged"])

        listening = asyncio.create_task(listen())
        created = []
        # gql does not tell when a subscription is active.
        for attempt in range(100):
            upserted = await session.execute(request(UPSERT, id=base, ref=str(attempt)))
            created += upserted["bulkUpsertMembers"]["memberIds"]
            try:
                event = await asyncio.wait_for(events.get(), 0.2)
                break
            except TimeoutError:
                pass
        assert event["created"] == 1 and event["createdMemberIds"][0] in created, event
        listening.cancel()
        try:
            await session.execute(gql("{ nothing }"))
            raise AssertionError("an invalid query succeeded")
        except TransportQueryError as error:
            assert error.errors[0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED", error.errors


async def main():
    for kind in (WebsocketsTransport, AIOHTTPWebsocketsTransport):
        older, newer = kind.APOLLO_SUBPROTOCOL, kind.GRAPHQLWS_SUBPROTOCOL
        for subprotocol in (older, newer):
            init = {"Authorization": f"Bearer {TOKEN}"}
            transport = kind(url=URL, init_payload=init, subprotocols=[subprotocol])
            await asyncio.wait_for(check(transport), 60)
            print(f"gql: {kind.__name__} over {subprotocol} works")


asyncio.run(main())
