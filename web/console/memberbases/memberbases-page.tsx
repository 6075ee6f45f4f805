import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { queryFor, SERVER_SCOPE } from "../api/queries";
import { graphql } from "../gql";
import type { MemberbasesQuery } from "../gql/graphql";
import { ListPager, usePaging } from "../paging";
import { href, navigate } from "../router";
import { hasAccess, useToken } from "../token";
import { Button } from "../ui/button";
import { Card, Page } from "../ui/page";
import { Empty, Failure, Loading } from "../ui/states";
import { cell, Table, Time } from "../ui/table";
import { Menu } from "../ui/menu";
import { CopyButton } from "../ui/copy";
import { DeleteDialog } from "./delete-dialog";
import { MemberCount } from "./member-count";
import style from "./memberbases.module.css";
import { NameDialog } from "./name-dialog";

const Memberbases = graphql(`
  query Memberbases($first: Int, $after: String, $last: Int, $before: String) {
    memberbases(first: $first, after: $after, last: $last, before: $before) {
      nodes {
        id
        name
        createdAt
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

type Connection = NonNullable<MemberbasesQuery["memberbases"]>;
type Row = Connection["nodes"][number];

type Open = { what: "create" } | { what: "rename" | "delete"; memberbase: Row } | null;

export default function MemberbasesPage() {
  const token = useToken();
  const [open, setOpen] = useState<Open>(null);
  const pageArguments = usePaging();
  const { data, error, refetch } = useQuery({
    ...queryFor(SERVER_SCOPE, Memberbases, pageArguments),
    placeholderData: keepPreviousData,
  });
  const create = (
    <Button variant="primary" icon="plus" onPress={() => setOpen({ what: "create" })}>
      New memberbase
    </Button>
  );
  const admin = hasAccess(token, "ADMIN");
  const canCreate = admin && token.memberbaseId === null;
  return (
    <Page title="Memberbases" description="Each memberbase is a separate list of members." actions={canCreate && create}>
      {error ? (
        <Failure title="Couldn't load the memberbases" error={error} onRetry={() => void refetch()} />
      ) : (
        <Card flush>
          {!data ? (
            <Loading />
          ) : data.memberbases?.nodes.length ? (
            <Rows memberbases={data.memberbases} admin={admin} onOpen={setOpen} />
          ) : (
            <Empty icon="memberbase" title="No memberbases yet" actions={canCreate && create}>
              {canCreate
                ? "Create the first one, then import its members."
                : "An ADMIN token that is not bound to a memberbase can create one."}
            </Empty>
          )}
        </Card>
      )}
      {open?.what === "create" && (
        <NameDialog onClose={() => setOpen(null)} onDone={(id) => navigate(href(["memberbases", id, "members"]))} />
      )}
      {open?.what === "rename" && <NameDialog memberbase={open.memberbase} onClose={() => setOpen(null)} />}
      {open?.what === "delete" && <DeleteDialog memberbase={open.memberbase} onClose={() => setOpen(null)} />}
    </Page>
  );
}

interface RowsProperties {
  memberbases: Connection;
  admin: boolean;
  onOpen: (open: Open) => void;
}

function Rows({ memberbases: { nodes, pageInfo }, admin, onOpen }: RowsProperties) {
  return (
    <>
      <Table label="Memberbases">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" className={cell.number}>
              Members
            </th>
            <th scope="col" className={cell.wide}>
              Created
            </th>
            <th scope="col" className={cell.wide}>
              Id
            </th>
            {admin && (
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {nodes.map((memberbase) => (
            <tr key={memberbase.id}>
              <td className={cell.text}>
                <a className={style.name} href={href(["memberbases", memberbase.id, "members"])}>
                  {memberbase.name}
                </a>
              </td>
              <td className={cell.number}>
                <MemberCount memberbaseId={memberbase.id} />
              </td>
              <td className={cell.wide}>
                <Time value={memberbase.createdAt} />
              </td>
              <td className={`${cell.tight} ${cell.wide}`}>
                <span className={style.id}>
                  <code>{memberbase.id}</code>
                  <CopyButton text={memberbase.id} what={`id of ${memberbase.name}`} />
                </span>
              </td>
              {admin && (
                <td className={cell.actions}>
                  <Menu
                    label={`Actions for ${memberbase.name}`}
                    actions={[
                      { label: "Rename", icon: "pencil", onAction: () => onOpen({ what: "rename", memberbase }) },
                      {
                        label: "Delete",
                        icon: "trash",
                        danger: true,
                        onAction: () => onOpen({ what: "delete", memberbase }),
                      },
                    ]}
                  />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </Table>
      <ListPager path={["memberbases"]} pageInfo={pageInfo} shown={nodes.length} one="memberbase" />
    </>
  );
}
