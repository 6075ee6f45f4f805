import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { asking } from "../api/queries";
import type { AttributeType } from "../gql/graphql";
import { AttributeSchema } from "../members/documents";
import type { CurrentMemberbase } from "../pages";
import { may, useToken } from "../token";
import { Button, IconButton } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { Badge, Card, Page } from "../ui/page";
import { Empty, Failure, Loading } from "../ui/states";
import { cell, Table } from "../ui/table";
import style from "./attributes.module.css";
import { SaveDialog } from "./save-dialog";
import { badKey, type Definition, typeLabel, TYPES } from "./schema";

export default function AttributesPage({ memberbase }: { memberbase: CurrentMemberbase }) {
  const admin = may(useToken(), "ADMIN");
  const { data, error, refetch } = useQuery(asking(memberbase.id, AttributeSchema, { id: memberbase.id }));
  const schema = data?.memberbase?.attributeSchema;
  return (
    <Page
      title="Attributes"
      within={memberbase.name}
      description="What the members of this memberbase may have, and of which type each value is. Anything else is refused."
    >
      {error && !schema ? (
        <Failure title="The attributes could not be read" error={error} onRetry={() => void refetch()} />
      ) : !schema ? (
        <Card flush>
          <Loading />
        </Card>
      ) : admin ? (
        <Editor memberbaseId={memberbase.id} schema={schema} />
      ) : (
        <Card flush>
          {schema.length === 0 ? <Nothing>An ADMIN token declares them.</Nothing> : <ReadOnly schema={schema} />}
        </Card>
      )}
    </Page>
  );
}

function Nothing({ children }: { children: string }) {
  return (
    <Empty icon="attributes" title="No attributes yet">
      Without any, a member is a ref alone. {children}
    </Empty>
  );
}

function ReadOnly({ schema }: { schema: Definition[] }) {
  return (
    <Table label="Attributes">
      <thead>
        <tr>
          <th scope="col">Key</th>
          <th scope="col">Type</th>
        </tr>
      </thead>
      <tbody>
        {schema.map(({ key, type }) => (
          <tr key={key}>
            <td className={cell.text}>
              <code>{key}</code>
            </td>
            <td>{typeLabel(type)}</td>
          </tr>
        ))}
      </tbody>
    </Table>
  );
}

/** Changes are collected, and saved at once: the API replaces the whole schema. */
function Editor({ memberbaseId, schema }: { memberbaseId: string; schema: Definition[] }) {
  const [draft, setDraft] = useState<Definition[] | null>(null);
  const [saves, setSaves] = useState(false);
  const rows = draft ?? schema;
  const isChanged = draft !== null && !same(draft, schema);
  useUnsaved(isChanged);
  const removed = schema.filter(({ key }) => !rows.some((row) => row.key === key));
  const was = (key: string) => schema.find((attribute) => attribute.key === key)?.type;
  const change = (key: string, type: AttributeType) =>
    setDraft(rows.map((row) => (row.key === key ? { key, type } : row)));
  return (
    <>
      <Card flush>
        {rows.length === 0 && removed.length === 0 ? (
          <Nothing>Declare the first one below, or import a file and declare its columns there.</Nothing>
        ) : (
          <Table label="Attributes">
            <thead>
              <tr>
                <th scope="col">Key</th>
                <th scope="col">Type</th>
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ key, type }) => (
                <tr key={key}>
                  <td className={style.key}>
                    <code>{key}</code>
                    {was(key) === undefined && <Badge tone="good">New</Badge>}
                    {was(key) !== undefined && was(key) !== type && <Badge tone="warn">Changed</Badge>}
                  </td>
                  <td className={style.type}>
                    <Select
                      label={`Type of ${key}`}
                      labelHidden
                      options={TYPES}
                      value={type}
                      onChange={(type) => change(key, type)}
                    />
                  </td>
                  <td className={cell.actions}>
                    <IconButton
                      icon="trash"
                      label={`Remove ${key}`}
                      onPress={() => setDraft(rows.filter((row) => row.key !== key))}
                    />
                  </td>
                </tr>
              ))}
              {removed.map((attribute) => (
                <tr key={attribute.key}>
                  <td className={style.key}>
                    <code className={style.removed}>{attribute.key}</code>
                    <Badge tone="danger">Removed</Badge>
                  </td>
                  <td className={cell.soft}>{typeLabel(attribute.type)}</td>
                  <td className={cell.actions}>
                    <IconButton
                      icon="refresh"
                      label={`Put ${attribute.key} back`}
                      onPress={() => setDraft([...rows, attribute])}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </Table>
        )}
        <Add schema={rows} onAdd={(attribute) => setDraft([...rows, attribute])} />
      </Card>
      {isChanged && (
        <div className={style.bar} role="region" aria-label="Unsaved changes">
          <span>There are unsaved changes.</span>
          <div className={style.buttons}>
            <Button onPress={() => setDraft(null)}>Discard</Button>
            <Button variant="primary" onPress={() => setSaves(true)}>
              Review and save
            </Button>
          </div>
        </div>
      )}
      {saves && draft && (
        <SaveDialog
          memberbaseId={memberbaseId}
          schema={schema}
          draft={draft}
          onClose={() => setSaves(false)}
          onSaved={() => {
            setSaves(false);
            setDraft(null);
          }}
        />
      )}
    </>
  );
}

function Add({ schema, onAdd }: { schema: Definition[]; onAdd: (attribute: Definition) => void }) {
  const [key, setKey] = useState("");
  const [type, setType] = useState<AttributeType>("STRING");
  const error = key === "" ? undefined : badKey(key, schema);
  return (
    <form
      className={style.add}
      onSubmit={(event) => {
        event.preventDefault();
        if (key === "" || error) return;
        onAdd({ key, type });
        setKey("");
      }}
    >
      <TextField label="New attribute" placeholder="plan" value={key} onChange={setKey} error={error} mono />
      <Select label="Its type" options={TYPES} value={type} onChange={setType} />
      <Button type="submit" icon="plus" isDisabled={key === "" || error !== undefined}>
        Add
      </Button>
    </form>
  );
}

function same(one: Definition[], other: Definition[]) {
  return (
    one.length === other.length &&
    one.every(({ key, type }) => other.some((attribute) => attribute.key === key && attribute.type === type))
  );
}

/** Whoever leaves is asked first. */
function useUnsaved(isUnsaved: boolean) {
  useEffect(() => {
    if (!isUnsaved) return;
    const hold = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", hold);
    return () => removeEventListener("beforeunload", hold);
  }, [isUnsaved]);
}
