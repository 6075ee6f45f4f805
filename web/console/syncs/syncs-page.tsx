import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { queryFor, refresh } from "../api/queries";
import { formatDateTime, formatNumber } from "../format";
import { graphql } from "../gql";
import type { SyncsQuery, SyncState } from "../gql/graphql";
import type { CurrentMemberbase } from "../pages";
import { ListPager, usePaging } from "../paging";
import { href } from "../router";
import { hasAccess, useToken } from "../token";
import { Button, ButtonLink } from "../ui/button";
import { CopyButton } from "../ui/copy";
import { Badge, Card, Page, type Tone } from "../ui/page";
import { Empty, Failure, Loading } from "../ui/states";
import { cell, Table, Time } from "../ui/table";
import { AbandonDialog } from "./abandon-dialog";
import style from "./syncs.module.css";

const Syncs = graphql(`
  query Syncs($memberbaseId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
    memberbase(id: $memberbaseId) {
      id
      syncs(first: $first, after: $after, last: $last, before: $before) {
        nodes {
          id
          state
          startedAt
          endedAt
          seen
          missing
          deleted {
            members
          }
        }
        pageInfo {
          hasNextPage
          hasPreviousPage
          startCursor
          endCursor
        }
      }
    }
  }
`);

const REFETCH_WHILE_OPEN_MS = 5_000;

type Connection = NonNullable<SyncsQuery["memberbase"]>["syncs"];
export type Sync = Connection["nodes"][number];

export default function SyncsPage({ memberbase }: { memberbase: CurrentMemberbase }) {
  const token = useToken();
  const [abandoning, setAbandoning] = useState<Sync | null>(null);
  const pageArguments = usePaging();
  const { data, error, refetch, isFetching } = useQuery({
    ...queryFor(memberbase.id, Syncs, { memberbaseId: memberbase.id, ...pageArguments }),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.memberbase?.syncs.nodes.some((sync) => sync.state === "OPEN") ? REFETCH_WHILE_OPEN_MS : false,
  });
  const syncs = data?.memberbase?.syncs;
  return (
    <Page
      title="Syncs"
      within={memberbase.name}
      description="A sync mirrors a source: it records which members the source still has, and can delete the others when it ends."
      actions={
        <Button icon="refresh" isPending={isFetching} onPress={() => void refresh(memberbase.id)}>
          Refresh
        </Button>
      }
    >
      {error ? (
        <Failure title="Couldn't load the syncs" error={error} onRetry={() => void refetch()} />
      ) : (
        <Card flush>
          {!syncs ? (
            <Loading />
          ) : syncs.nodes.length > 0 ? (
            <Rows syncs={syncs} memberbaseId={memberbase.id} onAbandon={hasAccess(token, "WRITE") ? setAbandoning : null} />
          ) : (
            <Empty
              icon="sync"
              title="No syncs yet"
              actions={
                hasAccess(token, "WRITE") && (
                  <ButtonLink href={href(["memberbases", memberbase.id, "import"])} icon="import">
                    Import a file
                  </ButtonLink>
                )
              }
            >
              An import that replaces the list creates a sync, and so does <code>memberbase sync --delete-missing</code>.
            </Empty>
          )}
        </Card>
      )}
      {abandoning && <AbandonDialog memberbaseId={memberbase.id} sync={abandoning} onClose={() => setAbandoning(null)} />}
    </Page>
  );
}

const STATES: Record<SyncState, { tone: Tone; label: string }> = {
  OPEN: { tone: "accent", label: "Open" },
  COMMITTED: { tone: "good", label: "Committed" },
  ABANDONED: { tone: "neutral", label: "Abandoned" },
  EXPIRED: { tone: "warn", label: "Expired" },
};

interface RowsProperties {
  syncs: Connection;
  memberbaseId: string;
  onAbandon: ((sync: Sync) => void) | null;
}

function Rows({ syncs: { nodes, pageInfo }, memberbaseId, onAbandon }: RowsProperties) {
  return (
    <>
      <Table label="Syncs">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col" className={cell.wide}>
              Started
            </th>
            <th scope="col" className={cell.wide}>
              Ended
            </th>
            <th scope="col" className={cell.number}>
              Seen
            </th>
            <th scope="col" className={cell.number}>
              Missing
            </th>
            <th scope="col" className={cell.number}>
              Deleted
            </th>
          </tr>
        </thead>
        <tbody>
          {nodes.map((sync) => (
            <tr key={sync.id}>
              <td>
                <div className={style.state}>
                  {/* Newer servers may return states that are not listed above. */}
                  <Badge tone={STATES[sync.state]?.tone ?? "neutral"}>{STATES[sync.state]?.label ?? sync.state}</Badge>
                  <span className={cell.wide}>
                    <CopyButton text={sync.id} what={`id of the sync started on ${formatDateTime(sync.startedAt)}`} />
                  </span>
                  {onAbandon && sync.state === "OPEN" && <Button onPress={() => onAbandon(sync)}>Abandon</Button>}
                </div>
                <time className={style.started} dateTime={sync.startedAt}>
                  {formatDateTime(sync.startedAt)}
                </time>
              </td>
              <td className={cell.wide}>
                <Time value={sync.startedAt} />
              </td>
              <td className={cell.wide}>{sync.endedAt ? <Time value={sync.endedAt} /> : "—"}</td>
              <td className={cell.number}>{formatNumber(sync.seen)}</td>
              <td className={cell.number}>{formatNumber(sync.missing)}</td>
              <td className={cell.number}>{sync.deleted ? formatNumber(sync.deleted.members) : "—"}</td>
            </tr>
          ))}
        </tbody>
      </Table>
      <ListPager path={["memberbases", memberbaseId, "syncs"]} pageInfo={pageInfo} shown={nodes.length} one="sync" />
    </>
  );
}
