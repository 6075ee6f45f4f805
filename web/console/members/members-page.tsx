import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useMemo, useRef, useState } from "react";

import { useChanges } from "../live/changes";
import { queryFor } from "../api/queries";
import { counted, formatNumber } from "../format";
import type { CurrentMemberbase } from "../pages";
import { href } from "../router";
import { hasAccess, useToken } from "../token";
import { Button, ButtonLink, IconButton } from "../ui/button";
import { Card, Page } from "../ui/page";
import { Empty, Failure, Loading, Pending } from "../ui/states";
import { Select } from "../ui/field";
import { Pager } from "../ui/table";
import { toMemberFilter } from "./condition";
import { DeleteDialog, type Target } from "./delete-dialog";
import { AttributeSchema, Members, TotalOfMembers } from "./documents";
import { MembersTable } from "./members-table";
import { MemberPanel } from "./member-panel";
import style from "./members.module.css";
import { toMemberOrder, SIZES, FIRST_PAGE } from "./list-state";
import { SelectionBar } from "./selection-bar";
import { useSelection } from "./selection";
import { Toolbar } from "./toolbar";
import { useListState } from "./use-list-state";

/** The number of attributes in the table if none are chosen. */
const DEFAULT_COLUMN_COUNT = 3;

export default function MembersPage({ memberbase }: { memberbase: CurrentMemberbase }) {
  const token = useToken();
  const { state, addressOf, update } = useListState();
  const changes = useChanges();
  const filter = useMemo(() => toMemberFilter(state.ref, state.conditions), [state.ref, state.conditions]);
  const bounds = state.before
    ? { last: state.size, before: state.before }
    : { first: state.size, ...(state.after && { after: state.after }) };

  const schema = useQuery(queryFor(memberbase.id, AttributeSchema, { id: memberbase.id }));
  const rows = useQuery({
    ...queryFor(memberbase.id, Members, { memberbaseId: memberbase.id, filter, orderBy: toMemberOrder(state.order), ...bounds }),
    placeholderData: keepPreviousData,
    // Rows do not move by themselves: the page shows the number of changes and a button to reload.
    meta: { manualReload: true },
  });
  const total = useQuery(queryFor(memberbase.id, TotalOfMembers, { memberbaseId: memberbase.id, filter }));
  const selection = useSelection(filter);
  const [target, setTarget] = useState<Target | null>(null);

  const attributes = schema.data?.memberbase?.attributeSchema ?? [];
  const columns = state.columns
    ? attributes.filter(({ key }) => state.columns!.includes(key))
    : attributes.slice(0, DEFAULT_COLUMN_COUNT);
  const members = rows.data?.members;
  const count = total.data?.members?.totalCount;
  const canWrite = hasAccess(token, "WRITE");
  const list = useRef<HTMLDivElement>(null);
  useListScroll(state.member !== null);

  const closePanel = () => {
    const { member } = state;
    update({ member: null });
    // Returns the focus to the member's link, once the list is visible again.
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
              <span title={total.error.message}>Count failed</span>
              <Button variant="quiet" icon="refresh" onPress={() => void total.refetch()}>
                Count again
              </Button>
            </>
          ) : count === undefined ? (
            <Pending label="Counting members" />
          ) : (
            `${counted(count, "member")} ${filter ? (count === 1 ? "matches" : "match") : `in ${memberbase.name}`}`
          )}
        </span>
      }
      actions={
        <IconButton icon="refresh" label="Refresh" variant="plain" onPress={changes.reload} />
      }
    >
      <div className={style.columns} data-open={state.member !== null || undefined}>
        <div className={style.list} ref={list}>
          <Toolbar attributes={attributes} shownColumns={columns.map(({ key }) => key)} state={state} update={update} />
          {changes.count > 0 && (
            <div className={style.changeNotice} role="status">
              <span>
                {changes.missed ? "Members have changed" : counted(changes.count, "change")}
              </span>
              <Button variant="quiet" icon="refresh" onPress={changes.reload}>
                Reload
              </Button>
            </div>
          )}
          {rows.error ? (
            <div className={style.failed}>
              <Failure
                title="Couldn't load the members"
                error={rows.error}
                onRetry={() => void rows.refetch()}
              />
              {(state.after || state.before) && (
                <ButtonLink href={addressOf(FIRST_PAGE)} icon="first">
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
              {state.after || state.before ? (
                <Empty
                  icon="members"
                  title="No members on this page"
                  actions={<ButtonLink href={addressOf(FIRST_PAGE)}>Go to the first page</ButtonLink>}
                />
              ) : filter ? (
                <Empty
                  icon="search"
                  title="No members match"
                  actions={<Button onPress={() => update({ ...FIRST_PAGE, ref: "", conditions: [] })}>Clear filters</Button>}
                >
                  Search is case-sensitive, and spaces count.
                </Empty>
              ) : (
                <Empty
                  icon="members"
                  title="No members yet"
                  actions={
                    canWrite && (
                      <ButtonLink variant="primary" icon="import" href={href(["memberbases", memberbase.id, "import"])}>
                        Import members
                      </ButtonLink>
                    )
                  }
                >
                  Import a file, run <code>memberbase sync</code>, or add members through the API.
                </Empty>
              )}
            </Card>
          ) : (
            <Card flush>
              {canWrite && (
                <SelectionBar
                  selection={selection}
                  shown={members.nodes}
                  total={count}
                  filtered={filter !== null}
                  onDelete={() => setTarget(selection.all ? { filter } : { members: [...selection.selected.values()] })}
                />
              )}
              <div className={style.rows} aria-busy={rows.isPlaceholderData} data-stale={rows.isPlaceholderData || undefined}>
                <MembersTable
                  members={members.nodes}
                  columns={columns}
                  time={state.order.startsWith("UPDATED_AT") ? "updatedAt" : "createdAt"}
                  current={state.member}
                  addressOf={(member) => addressOf({ member })}
                  selection={canWrite ? selection : null}
                />
              </div>
              <Pager
                shown={members.nodes.length}
                one="member"
                onFirst={page?.hasPreviousPage ? () => update(FIRST_PAGE) : undefined}
                onPrevious={
                  page?.hasPreviousPage && page.startCursor
                    ? () => update({ after: null, before: page.startCursor ?? null })
                    : undefined
                }
                onNext={
                  page?.hasNextPage && page.endCursor
                    ? () => update({ before: null, after: page.endCursor ?? null })
                    : undefined
                }
              >
                <span className={style.size}>
                  <Select
                    label="Rows per page"
                    labelHidden
                    options={SIZES.map((size) => ({ key: size, label: `${size} rows` }))}
                    value={String(state.size)}
                    onChange={(size) => update({ ...FIRST_PAGE, size: Number(size) })}
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
        {state.member && (
          <MemberPanel
            key={state.member}
            memberbaseId={memberbase.id}
            memberId={state.member}
            attributes={attributes}
            onClose={closePanel}
            onDelete={canWrite ? (member) => setTarget({ members: [member] }) : undefined}
          />
        )}
      </div>
      {target && (
        <DeleteDialog
          memberbaseId={memberbase.id}
          target={target}
          onClose={() => setTarget(null)}
          onDone={(isDeleted) => {
            selection.clear();
            changes.reloadSoon();
            if (state.member && isDeleted(state.member)) update({ member: null }, { replace: true });
          }}
        />
      )}
    </Page>
  );
}

/** Restores the scroll position of the list, which the panel replaces on a phone. */
function useListScroll(open: boolean) {
  const scrolled = useRef(0);
  useLayoutEffect(() => {
    if (!open || !matchMedia("(max-width: 60rem)").matches) return;
    scrolled.current = scrollY;
    scrollTo(0, 0);
    return () => scrollTo(0, scrolled.current);
  }, [open]);
}
