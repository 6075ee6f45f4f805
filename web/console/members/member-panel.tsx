import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";

import { queryFor } from "../api/queries";
import { formatNumber } from "../format";
import { graphql } from "../gql";
import { Button, IconButton } from "../ui/button";
import { CopyButton } from "../ui/copy";
import { Empty, Failure, Loading } from "../ui/states";
import { Time } from "../ui/table";
import { Clips, StampCollections, Transactions } from "./member-children";
import type { AttributeKey } from "./condition";
import type { SelectedMember } from "./selection";
import style from "./member-panel.module.css";
import { AttributeValue } from "./value";

const FindMember = graphql(`
  query FindMember($by: MemberBy!) {
    member(by: $by) {
      id
      ref
      memberbaseId
      attributes
      createdAt
      updatedAt
      sourceUpdatedAt
      clips(first: 0) {
        totalCount
      }
      stampCollections(first: 0) {
        totalCount
      }
      transactions(first: 0) {
        totalCount
      }
    }
  }
`);

interface Properties {
  memberbaseId: string;
  memberId: string;
  attributes: AttributeKey[];
  onClose: () => void;
  onDelete: ((member: SelectedMember) => void) | undefined;
}

/** The details of one member, next to the list; on a phone instead of it. */
export function MemberPanel({ memberbaseId, memberId, attributes, onClose, onDelete }: Properties) {
  const { data, error, refetch } = useQuery(queryFor(memberbaseId, FindMember, { by: { id: memberId } }));
  const found = data?.member;
  // The id in the address may be that of a member of another memberbase.
  const member = found?.memberbaseId === memberbaseId ? found : null;
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus({ preventScroll: true }), []);
  const scope = { memberbaseId, memberId };
  return (
    <aside
      className={style.panel}
      aria-label="Member"
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) onClose();
      }}
    >
      <header className={style.header}>
        <div className={style.text}>
          <p className={style.kind}>Member</p>
          <h2 ref={title} tabIndex={-1}>
            {member?.ref ?? memberId}
          </h2>
        </div>
        {member && <CopyButton text={member.ref} what="ref" />}
        <IconButton icon="close" label="Close panel" onPress={onClose} />
      </header>
      {error ? (
        <div className={style.body}>
          <Failure title="Couldn't load the member" error={error} onRetry={() => void refetch()} />
        </div>
      ) : !data ? (
        <Loading lines={7} label="Loading member" />
      ) : !member ? (
        <Empty icon="members" title="Member not found">
          It was deleted, or the address is wrong.
        </Empty>
      ) : (
        <>
          <dl className={style.facts}>
            <dt>Id</dt>
            <dd className={style.id}>
              <code>{member.id}</code>
              <CopyButton text={member.id} what="id" />
            </dd>
            <dt>Created</dt>
            <dd>
              <Time value={member.createdAt} />
            </dd>
            <dt>Updated</dt>
            <dd>
              <Time value={member.updatedAt} />
            </dd>
            {member.sourceUpdatedAt && (
              <>
                <dt>Updated at source</dt>
                <dd>
                  <Time value={member.sourceUpdatedAt} />
                </dd>
              </>
            )}
          </dl>
          <Tabs className={style.tabs!}>
            <TabList aria-label="Member details" className={style.list!}>
              <PanelTab id="attributes" label="Attributes" count={Object.keys(member.attributes).length} />
              <PanelTab id="clips" label="Clips" count={member.clips.totalCount} />
              <PanelTab id="stamps" label="Stamps" count={member.stampCollections.totalCount} />
              <PanelTab id="transactions" label="Transactions" count={member.transactions.totalCount} />
            </TabList>
            <TabPanel id="attributes" className={style.tab!}>
              <AttributeList values={member.attributes} attributes={attributes} />
            </TabPanel>
            <TabPanel id="clips" className={style.tab!}>
              <Clips {...scope} />
            </TabPanel>
            <TabPanel id="stamps" className={style.tab!}>
              <StampCollections {...scope} />
            </TabPanel>
            <TabPanel id="transactions" className={style.tab!}>
              <Transactions {...scope} />
            </TabPanel>
          </Tabs>
          {onDelete && (
            <footer className={style.footer}>
              <Button icon="trash" onPress={() => onDelete({ id: member.id, ref: member.ref })}>
                Delete member…
              </Button>
            </footer>
          )}
        </>
      )}
    </aside>
  );
}

function PanelTab({ id, label, count }: { id: string; label: string; count: number }) {
  return (
    <Tab id={id} className={style.handle!}>
      {label} <span className={style.count}>{formatNumber(count)}</span>
    </Tab>
  );
}

interface ListProperties {
  values: Record<string, string | number | boolean | string[]>;
  attributes: AttributeKey[];
}

function AttributeList({ values, attributes }: ListProperties) {
  if (attributes.length === 0) return <p className={style.empty}>This memberbase has no attributes.</p>;
  return (
    <dl className={style.attributes}>
      {attributes.map(({ key, type }) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>
            <AttributeValue value={values[key]} type={type} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
