import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { queryFor, SERVER_SCOPE } from "../api/queries";
import { graphql } from "../gql";
import type { ApiTokensQuery } from "../gql/graphql";
import { ListPager, usePaging } from "../paging";
import { useToken } from "../token";
import { Button } from "../ui/button";
import { CopyButton } from "../ui/copy";
import { Badge, Card, Page } from "../ui/page";
import { Empty, Failure, Loading } from "../ui/states";
import { cell, Table, Time } from "../ui/table";
import { CreateDialog } from "./create-dialog";
import { MemberbaseName } from "./memberbase-name";
import { RevokeDialog } from "./revoke-dialog";
import style from "./tokens.module.css";

const ApiTokens = graphql(`
  query ApiTokens($first: Int, $after: String, $last: Int, $before: String) {
    apiTokens(first: $first, after: $after, last: $last, before: $before) {
      nodes {
        id
        description
        access
        memberbaseId
        createdAt
        expiresAt
        lastUsedAt
        revokedAt
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`);

type Tokens = NonNullable<ApiTokensQuery["apiTokens"]>;
export type ApiToken = Tokens["nodes"][number];

export default function TokensPage() {
  const [isCreating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiToken | null>(null);
  // The API returns the oldest first.
  const pageArguments = usePaging(true);
  const { data, error, refetch } = useQuery({
    ...queryFor(SERVER_SCOPE, ApiTokens, pageArguments),
    placeholderData: keepPreviousData,
  });
  const create = (
    <Button variant="primary" icon="plus" onPress={() => setCreating(true)}>
      New token
    </Button>
  );
  const tokens = data?.apiTokens;
  return (
    <Page
      title="API tokens"
      description="A token gives a program, or a person in this console, access to the API. Its secret is shown once, when you create it."
      actions={create}
    >
      {error ? (
        <Failure title="Couldn't load the tokens" error={error} onRetry={() => void refetch()} />
      ) : (
        <Card flush>
          {!tokens ? (
            <Loading />
          ) : tokens.nodes.length > 0 ? (
            <Rows tokens={tokens} onRevoke={setRevoking} />
          ) : (
            <Empty icon="token" title="No tokens on this page" actions={create}>
              Create one for each program, with only the access that it needs.
            </Empty>
          )}
        </Card>
      )}
      {isCreating && <CreateDialog onClose={() => setCreating(false)} />}
      {revoking && <RevokeDialog token={revoking} onClose={() => setRevoking(null)} />}
    </Page>
  );
}

function Rows({ tokens: { nodes, pageInfo }, onRevoke }: { tokens: Tokens; onRevoke: (token: ApiToken) => void }) {
  const own = useToken();
  return (
    <>
      <Table label="API tokens">
        <thead>
          <tr>
            <th scope="col">Token</th>
            <th scope="col">Access</th>
            <th scope="col" className={cell.wide}>
              Memberbase
            </th>
            <th scope="col" className={cell.wide}>
              Created
            </th>
            <th scope="col" className={cell.wide}>
              Last used
            </th>
            <th scope="col" className={cell.wide}>
              Expires
            </th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {nodes.toReversed().map((token) => (
            <tr key={token.id}>
              <td className={style.cell}>
                <div className={style.token}>
                  <span className={style.description}>{token.description || "No description"}</span>
                  <State token={token} />
                  {token.id === own.id && <Badge tone="accent">Yours</Badge>}
                </div>
              </td>
              <td>
                <Badge>{token.access}</Badge>
              </td>
              <td className={`${cell.wide} ${cell.text}`}>
                {token.memberbaseId ? <MemberbaseName id={token.memberbaseId} /> : "All memberbases"}
              </td>
              <td className={cell.wide}>
                <Time short value={token.createdAt} />
              </td>
              <td className={`${cell.wide} ${cell.tight}`}>
                {token.lastUsedAt ? <Time short value={token.lastUsedAt} /> : <span className={cell.soft}>Never</span>}
              </td>
              <td className={`${cell.wide} ${cell.tight}`}>
                {token.expiresAt ? <Time short value={token.expiresAt} /> : <span className={cell.soft}>Never</span>}
              </td>
              <td className={cell.actions}>
                <div className={style.actions}>
                  <span className={cell.wide}>
                    <CopyButton text={token.id} what={`id of ${token.description || token.id}`} />
                  </span>
                  {stateOf(token) !== "revoked" && (
                    <Button aria-label={`Revoke ${token.description || token.id}`} onPress={() => onRevoke(token)}>
                      Revoke
                    </Button>
                  )}
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
      <ListPager path={["tokens"]} pageInfo={pageInfo} reversed shown={nodes.length} one="token" />
    </>
  );
}

function stateOf({ revokedAt, expiresAt }: ApiToken) {
  if (revokedAt) return "revoked";
  return expiresAt && Date.parse(expiresAt) <= Date.now() ? "expired" : "active";
}

function State({ token }: { token: ApiToken }) {
  const state = stateOf(token);
  if (state === "active") return null;
  return <Badge tone={state === "revoked" ? "danger" : "warn"}>{state === "revoked" ? "Revoked" : "Expired"}</Badge>;
}
