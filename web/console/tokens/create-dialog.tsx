import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { request } from "../api/request";
import { queryFor, refresh, SERVER_SCOPE } from "../api/queries";
import { formatDateTime } from "../format";
import { graphql } from "../gql";
import type { Access } from "../gql/graphql";
import { useToken } from "../token";
import { Button } from "../ui/button";
import { CopyTextButton } from "../ui/copy";
import { Dialog } from "../ui/dialog";
import { Select, TextField } from "../ui/field";
import { Failure } from "../ui/states";
import style from "./tokens.module.css";

const CreateApiToken = graphql(`
  mutation CreateApiToken($input: CreateApiTokenInput!) {
    createApiToken(input: $input) {
      apiToken {
        id
        expiresAt
      }
      secret
    }
  }
`);

const MemberbaseChoices = graphql(`
  query MemberbaseChoices($first: Int!) {
    memberbases(first: $first) {
      nodes {
        id
        name
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);

/** With more memberbases than this, the person enters an id instead of choosing a name. */
const MAX_MEMBERBASE_CHOICES = 500;
const ALL_MEMBERBASES = "all";

const ACCESS: { key: Access; label: string; hint: string }[] = [
  { key: "READ", label: "Read", hint: "View only." },
  { key: "WRITE", label: "Write", hint: "Also change members and their data, and run syncs." },
  { key: "ADMIN", label: "Admin", hint: "Also manage memberbases, attribute schemas and API tokens." },
];

const EXPIRY = [
  { key: "30", label: "In 30 days" },
  { key: "90", label: "In 90 days" },
  { key: "365", label: "In a year" },
  { key: "date", label: "On a date" },
  { key: "never", label: "Never" },
] as const;

type Expiry = (typeof EXPIRY)[number]["key"];

export function CreateDialog({ onClose }: { onClose: () => void }) {
  const boundMemberbaseId = useToken().memberbaseId;
  const [description, setDescription] = useState("");
  const [access, setAccess] = useState<Access>("READ");
  const [memberbase, setMemberbase] = useState(boundMemberbaseId ?? ALL_MEMBERBASES);
  const [expiry, setExpiry] = useState<Expiry>("90");
  const [date, setDate] = useState("");
  const create = useMutation({
    mutationFn: () => {
      const expiresAt = toExpiresAt(expiry, date);
      const memberbaseId = memberbase === ALL_MEMBERBASES ? null : memberbase;
      return request(CreateApiToken, { input: { description, access, memberbaseId, expiresAt } });
    },
    onSuccess: () => void refresh(SERVER_SCOPE),
    // The secret is forgotten when the dialog closes.
    gcTime: 0,
  });
  const created = create.data?.createApiToken;
  if (created) {
    const expiresAt = created.apiToken.expiresAt ?? null;
    return <SecretDialog secret={created.secret} expiresAt={expiresAt} onClose={onClose} />;
  }
  const tooLong = new TextEncoder().encode(description).length > 1024;
  const isPast = expiry === "date" && date !== "" && !(Date.parse(`${date}T23:59:59`) > Date.now());
  const ready = description.trim() !== "" && !tooLong && !isPast && (expiry !== "date" || date !== "") && memberbase !== "";
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title="New API token"
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" form="token" variant="primary" isDisabled={!ready} isPending={create.isPending}>
            Create
          </Button>
        </>
      }
    >
      <form
        id="token"
        className={style.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !create.isPending) create.mutate();
        }}
      >
        <TextField
          label="Description"
          hint="The program or person that will use this token."
          value={description}
          onChange={setDescription}
          error={tooLong ? "A description has at most 1,024 bytes." : undefined}
          autoFocus
        />
        <div className={style.choice}>
          <Select label="Access" options={ACCESS} value={access} onChange={setAccess} />
          <p>{ACCESS.find(({ key }) => key === access)?.hint}</p>
        </div>
        {boundMemberbaseId === null && <MemberbaseField value={memberbase} onChange={setMemberbase} />}
        <div className={style.pair}>
          <Select label="Expires" options={[...EXPIRY]} value={expiry} onChange={setExpiry} />
          {expiry === "date" && (
            <TextField
              label="At the end of"
              inputType="date"
              value={date}
              onChange={setDate}
              error={isPast ? "Choose today or a later date." : undefined}
            />
          )}
        </div>
      </form>
      {create.error && <Failure error={create.error} />}
    </Dialog>
  );
}

function MemberbaseField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { data, error } = useQuery(queryFor(SERVER_SCOPE, MemberbaseChoices, { first: MAX_MEMBERBASE_CHOICES }));
  const memberbases = data?.memberbases;
  if (error || memberbases?.pageInfo.hasNextPage) {
    return (
      <TextField
        label="Memberbase"
        hint="A memberbase id. Leave empty for all memberbases."
        mono
        value={value === ALL_MEMBERBASES ? "" : value}
        onChange={(text) => onChange(text.trim() || ALL_MEMBERBASES)}
      />
    );
  }
  const nodes = memberbases?.nodes ?? [];
  // Names need not be unique.
  const isUnique = (name: string) => nodes.filter((other) => other.name === name).length === 1;
  const byName = nodes.map(({ id, name }) => ({ key: id, label: isUnique(name) ? name : `${name} (…${id.slice(-6)})` }));
  const options = [{ key: ALL_MEMBERBASES, label: "All memberbases" }, ...byName];
  return <Select label="Memberbase" options={options} value={value} onChange={onChange} isDisabled={!memberbases} />;
}

function SecretDialog({ secret, expiresAt, onClose }: { secret: string; expiresAt: string | null; onClose: () => void }) {
  return (
    <Dialog
      isOpen
      alert
      onClose={onClose}
      title="Copy this secret now"
      footer={
        <>
          <CopyTextButton text={secret} what="secret" />
          <Button variant="primary" onPress={onClose}>
            Done
          </Button>
        </>
      }
    >
      <p>It is shown only once: the server stores only a hash of it. Anyone who has the secret has the token's access.</p>
      <code className={style.secret} tabIndex={0} aria-label="Secret">
        {secret}
      </code>
      <p className={style.note}>{expiresAt ? `It expires on ${formatDateTime(expiresAt)}.` : "It does not expire."}</p>
    </Dialog>
  );
}

function toExpiresAt(expiry: Expiry, date: string): string | null {
  if (expiry === "never") return null;
  // The end of the day in the reader's time zone.
  if (expiry === "date") return new Date(`${date}T23:59:59`).toISOString();
  return new Date(Date.now() + Number(expiry) * 86_400_000).toISOString();
}
