import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { queryFor } from "../api/queries";
import type { AttributeType } from "../gql/graphql";
import { AttributeSchema } from "../members/documents";
import type { CurrentMemberbase } from "../pages";
import { hasAccess, useToken } from "../token";
import { Button, IconButton } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { Badge, Card, Page } from "../ui/page";
import { Empty, Failure, Loading } from "../ui/states";
import { cell, Table } from "../ui/table";
import style from "./attributes.module.css";
import { SaveDialog } from "./save-dialog";
import { keyError, type Definition, typeLabel, TYPES } from "./schema";

export default function AttributesPage({ memberbase }: { memberbase: CurrentMemberbase }) {
  const admin = hasAccess(useToken(), "ADMIN");
  const { data, error, refetch } = useQuery(queryFor(memberbase.id, AttributeSchema, { id: memberbase.id }));
  const schema = data?.memberbase?.attributeSchema;
  return (
    <Page
      title="Attributes"
      within={memberbase.name}
      description="The attributes that members of this memberbase can have, and the type of each. Other attributes are rejected."
    >
      {error && !schema ? (
        <Failure title="Couldn't load the attributes" error={error} onRetry={() => void refetch()} />
      ) : !schema ? (
        <Card flush>
          <Loading />
        </Card>
      ) : admin ? (
        <Editor memberbaseId={memberbase.id} schema={schema} />
      ) : (
        <Card flush>
          {schema.length === 0 ? (
            <NoAttributes>An ADMIN token can add attributes.</NoAttributes>
          ) : (
            <ReadOnly schema={schema} />
          )}
        </Card>
      )}
    </Page>
  );
}

function NoAttributes({ children }: { children: string }) {
  return (
    <Empty icon="attributes" title="No attributes yet">
      Members have only a ref. {children}
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

/** Collects changes and saves them together, because the API replaces the whole schema. */
function Editor({ memberbaseId, schema }: { memberbaseId: string; schema: Definition[] }) {
  const [draft, setDraft] = useState<Definition[] | null>(null);
  const [isReviewing, setReviewing] = useState(false);
  const rows = draft ?? schema;
  const isChanged = draft !== null && !isSameSchema(draft, schema);
  useLeaveConfirmation(isChanged);
  const removed = schema.filter(({ key }) => !rows.some((row) => row.key === key));
  const storedType = (key: string) => schema.find((attribute) => attribute.key === key)?.type;
  const change = (key: string, type: AttributeType) =>
    setDraft(rows.map((row) => (row.key === key ? { key, type } : row)));
  return (
    <>
      <Card flush>
        {rows.length === 0 && removed.length === 0 ? (
          <NoAttributes>Add the first attribute below, or import a file and add its columns as attributes.</NoAttributes>
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
                    {storedType(key) === undefined && <Badge tone="good">New</Badge>}
                    {storedType(key) !== undefined && storedType(key) !== type && <Badge tone="warn">Changed</Badge>}
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
                      label={`Restore ${attribute.key}`}
                      onPress={() => setDraft([...rows, attribute])}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </Table>
        )}
        <AddAttribute schema={rows} onAdd={(attribute) => setDraft([...rows, attribute])} />
      </Card>
      {isChanged && (
        <div className={style.bar} role="region" aria-label="Unsaved changes">
          <span>You have unsaved changes.</span>
          <div className={style.buttons}>
            <Button onPress={() => setDraft(null)}>Discard</Button>
            <Button variant="primary" onPress={() => setReviewing(true)}>
              Review and save
            </Button>
          </div>
        </div>
      )}
      {isReviewing && draft && (
        <SaveDialog
          memberbaseId={memberbaseId}
          schema={schema}
          draft={draft}
          onClose={() => setReviewing(false)}
          onSaved={() => {
            setReviewing(false);
            setDraft(null);
          }}
        />
      )}
    </>
  );
}

function AddAttribute({ schema, onAdd }: { schema: Definition[]; onAdd: (attribute: Definition) => void }) {
  const [key, setKey] = useState("");
  const [type, setType] = useState<AttributeType>("STRING");
  const error = key === "" ? undefined : keyError(key, schema);
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
      <Select label="Type" options={TYPES} value={type} onChange={setType} />
      <Button type="submit" icon="plus" isDisabled={key === "" || error !== undefined}>
        Add
      </Button>
    </form>
  );
}

function isSameSchema(one: Definition[], other: Definition[]) {
  return (
    one.length === other.length &&
    one.every(({ key, type }) => other.some((attribute) => attribute.key === key && attribute.type === type))
  );
}

/** Asks for confirmation before the page is closed with unsaved changes. */
function useLeaveConfirmation(isUnsaved: boolean) {
  useEffect(() => {
    if (!isUnsaved) return;
    const confirmLeave = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", confirmLeave);
    return () => removeEventListener("beforeunload", confirmLeave);
  }, [isUnsaved]);
}
