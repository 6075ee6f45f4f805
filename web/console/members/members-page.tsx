import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useMemo, useRef, useState } from "react";

import { useChanges } from "../live/changes";
import { asking } from "../api/queries";
import { counted, formatNumber } from "../format";
import type { CurrentMemberbase } from "../pages";
import { href } from "../router";
import { may, useToken } from "../token";
import { Button, ButtonLink, IconButton } from "../ui/button";
import { Card, Page } from "../ui/page";
import { Empty, Failure, Loading, Pending } from "../ui/states";
import { Select } from "../ui/field";
import { Pager } from "../ui/table";
import { filterOf } from "./condition";
import { DeleteDialog, type Target } from "./delete-dialog";
import { AttributeSchema, Members, TotalOfMembers } from "./documents";
import { MembersTable } from "./members-table";
import { MemberPanel } from "./member-panel";
import style from "./members.module.css";
import { orderOf, SIZES, START } from "./place";
import { SelectionBar } from "./selection-bar";
import { useSelection } from "./selection";
import { Toolbar } from "./toolbar";
import { usePlace } from "./use-place";

/** As many attributes stand in the table where the reader has not chosen. */
const DEFAULT_COLUMNS = 3;

export default function MembersPage({ memberbase }: { memberbase: CurrentMemberbase }) {
  const token = useToken();
  const { place, addressOf, go } = usePlace();
  const changes = useChanges();
  const filter = useMemo(() => filterOf(place.ref, place.conditions), [place.ref, place.conditions]);
  const bounds = place.before
    ? { last: place.size, before: place.before }
    : { first: place.size, ...(place.after && { after: place.after }) };

  const schema = useQuery(asking(memberbase.id, AttributeSchema, { id: memberbase.id }));
  const rows = useQuery({
    ...asking(memberbase.id, Members, { memberbaseId: memberbase.id, filter, orderBy: orderOf(place.order), ...bounds }),
    placeholderData: keepPreviousData,
    // Rows do not move under the reader's hands: what changed is told, and shown on demand.
    meta: { steady: true },
  });
  const total = useQuery(asking(memberbase.id, TotalOfMembers, { memberbaseId: memberbase.id, filter }));
  const selection = useSelection(filter);
  const [target, setTarget] = useState<Target | null>(null);

  const attributes = schema.data?.memberbase?.attributeSchema ?? [];
  const columns = place.columns
    ? attributes.filter(({ key }) => place.columns!.includes(key))
    : attributes.slice(0, DEFAULT_COLUMNS);
  const members = rows.data?.members;
  const count = total.data?.members?.totalCount;
  const writes = may(token, "WRITE");
  const list = useRef<HTMLDivElement>(null);
  useScrollBehind(place.member !== null);

  const closePanel = () => {
    const { member } = place;
    go({ member: null });
    // Back to where the reader came from, once that is to be seen again.
    requestAnimationFrame(() => list.current?.querySelector<HTMLElement>(`[data-member="${member}"]`)?.focus());
  };

  const page = members?.pageInfo;
  return (
    <Page
      title="Members"
      within={memberbase.name}
      description={
        <span className={style.total}>
          {total.error ? (
            <>
              <span title={total.error.message}>not counted</span>
              <Button variant="quiet" icon="refresh" onPress={() => void total.refetch()}>
                Count again
              </Button>
            </>
          ) : count === undefined ? (
            <Pending label="counting" />
          ) : (
            `${counted(count, "member")} ${filter ? (count === 1 ? "matches" : "match") : `in ${memberbase.name}`}`
          )}
        </span>
      }
      actions={
        <IconButton icon="refresh" label="Refresh" variant="plain" onPress={changes.show} />
      }
    >
      <div className={style.columns} data-open={place.member !== null || undefined}>
        <div className={style.list} ref={list}>
          <Toolbar attributes={attributes} shownColumns={columns.map(({ key }) => key)} place={place} go={go} />
          {changes.count > 0 && (
            <div className={style.news} role="status">
              <span>
                {changes.missed ? "Members have changed." : `${counted(changes.count, "change")} since this was read.`}
              </span>
              <Button variant="quiet" icon="refresh" onPress={changes.show}>
                Show
              </Button>
            </div>
          )}
          {rows.error ? (
            <div className={style.failed}>
              <Failure
                title="The members could not be read"
                error={rows.error}
                onRetry={() => void rows.refetch()}
              />
              {(place.after || place.before) && (
                <ButtonLink href={addressOf(START)} icon="first">
                  Go to the first page
                </ButtonLink>
              )}
            </div>
          ) : !members ? (
            <Card flush>
              <Loading lines={10} label="Loading members" />
            </Card>
          ) : members.nodes.length === 0 ? (
            <Card>
              {place.after || place.before ? (
                <Empty icon="members" title="Nobody is on this page any more" actions={<ButtonLink href={addressOf(START)}>Go to the first page</ButtonLink>} />
              ) : filter ? (
                <Empty
                  icon="search"
                  title="No member matches"
                  actions={<Button onPress={() => go({ ...START, ref: "", conditions: [] })}>Clear the filter</Button>}
                >
                  Refs and texts are compared byte for byte: capitals and spaces count.
                </Empty>
              ) : (
                <Empty
                  icon="members"
                  title="No member yet"
                  actions={
                    writes && (
                      <ButtonLink variant="primary" icon="import" href={href(["memberbases", memberbase.id, "import"])}>
                        Import members
                      </ButtonLink>
                    )
                  }
                >
                  They come from an import, from the command memberbase sync, or from your own program by the API.
                </Empty>
              )}
            </Card>
          ) : (
            <Card flush>
              {writes && (
                <SelectionBar
                  selection={selection}
                  shown={members.nodes}
                  total={count}
                  filtered={filter !== null}
                  onDelete={() => setTarget(selection.all ? { filter } : { members: [...selection.chosen.values()] })}
                />
              )}
              <div className={style.rows} aria-busy={rows.isPlaceholderData} data-stale={rows.isPlaceholderData || undefined}>
                <MembersTable
                  members={members.nodes}
                  columns={columns}
                  time={place.order.startsWith("UPDATED_AT") ? "updatedAt" : "createdAt"}
                  current={place.member}
                  addressOf={(member) => addressOf({ member })}
                  selection={writes ? selection : null}
                />
              </div>
              <Pager
                shown={members.nodes.length}
                one="member"
                onFirst={page?.hasPreviousPage ? () => go(START) : undefined}
                onPrevious={
                  page?.hasPreviousPage && page.startCursor
                    ? () => go({ after: null, before: page.startCursor ?? null })
                    : undefined
                }
                onNext={
                  page?.hasNextPage && page.endCursor
                    ? () => go({ before: null, after: page.endCursor ?? null })
                    : undefined
                }
              >
                <span className={style.size}>
                  <Select
                    label="Rows on a page"
                    labelHidden
                    options={SIZES.map((size) => ({ key: size, label: `${size} rows` }))}
                    value={String(place.size)}
                    onChange={(size) => go({ ...START, size: Number(size) })}
                  />
                  {count !== undefined && (
                    <span>
                      {formatNumber(members.nodes.length)} of {formatNumber(count)}
                    </span>
                  )}
                </span>
              </Pager>
            </Card>
          )}
        </div>
        {place.member && (
          <MemberPanel
            key={place.member}
            memberbaseId={memberbase.id}
            memberId={place.member}
            attributes={attributes}
            onClose={closePanel}
            onDelete={writes ? (member) => setTarget({ members: [member] }) : undefined}
          />
        )}
      </div>
      {target && (
        <DeleteDialog
          memberbaseId={memberbase.id}
          target={target}
          onClose={() => setTarget(null)}
          onDone={(deleted) => {
            selection.clear();
            changes.showSoon();
            if (place.member && deleted(place.member)) go({ member: null }, { replace: true });
          }}
        />
      )}
    </Page>
  );
}

/** On a phone the panel takes the list's place; the list comes back as it was scrolled. */
function useScrollBehind(open: boolean) {
  const scrolled = useRef(0);
  useLayoutEffect(() => {
    if (!open || !matchMedia("(max-width: 60rem)").matches) return;
    scrolled.current = scrollY;
    scrollTo(0, 0);
    return () => scrollTo(0, scrolled.current);
  }, [open]);
}
