import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { ask } from "../api/ask";
import { asking, refresh, SERVER } from "../api/queries";
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

const CHOICES = 500;
const EVERY = "every";

const ACCESS: { key: Access; label: string; hint: string }[] = [
  { key: "READ", label: "Read", hint: "Asks, and changes nothing." },
  { key: "WRITE", label: "Write", hint: "Also changes members and what belongs to them, and runs syncs." },
  { key: "ADMIN", label: "Admin", hint: "Also manages memberbases, attribute schemas and tokens." },
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
  const bound = useToken().memberbaseId;
  const [description, setDescription] = useState("");
  const [access, setAccess] = useState<Access>("READ");
  const [memberbase, setMemberbase] = useState(bound ?? EVERY);
  const [expiry, setExpiry] = useState<Expiry>("90");
  const [date, setDate] = useState("");
  const create = useMutation({
    mutationFn: () => {
      const expiresAt = expiryOf(expiry, date);
      const memberbaseId = memberbase === EVERY ? null : memberbase;
      return ask(CreateApiToken, { input: { description, access, memberbaseId, expiresAt } });
    },
    onSuccess: () => void refresh(SERVER),
    // The secret goes with the dialog.
    gcTime: 0,
  });
  const made = create.data?.createApiToken;
  if (made) return <Made secret={made.secret} expiresAt={made.apiToken.expiresAt ?? null} onClose={onClose} />;
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
          hint="Which program or person it is for, so that it can be told from the others."
          value={description}
          onChange={setDescription}
          error={tooLong ? "A description has 1,024 bytes at most." : undefined}
          autoFocus
        />
        <div className={style.choice}>
          <Select label="Access" options={ACCESS} value={access} onChange={setAccess} />
          <p>{ACCESS.find(({ key }) => key === access)?.hint}</p>
        </div>
        {bound === null && <MemberbaseChoice value={memberbase} onChange={setMemberbase} />}
        <div className={style.pair}>
          <Select label="Expires" options={[...EXPIRY]} value={expiry} onChange={setExpiry} />
          {expiry === "date" && (
            <TextField
              label="At the end of"
              inputType="date"
              value={date}
              onChange={setDate}
              error={isPast ? "This day is over." : undefined}
            />
          )}
        </div>
      </form>
      {create.error && <Failure error={create.error} />}
    </Dialog>
  );
}

function MemberbaseChoice({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { data, error } = useQuery(asking(SERVER, MemberbaseChoices, { first: CHOICES }));
  const memberbases = data?.memberbases;
  if (error || memberbases?.pageInfo.hasNextPage) {
    return (
      <TextField
        label="Memberbase"
        hint="Its id, or nothing for every memberbase."
        mono
        value={value === EVERY ? "" : value}
        onChange={(text) => onChange(text.trim() || EVERY)}
      />
    );
  }
  const nodes = memberbases?.nodes ?? [];
  // Names may repeat.
  const isOnly = (name: string) => nodes.filter((other) => other.name === name).length === 1;
  const named = nodes.map(({ id, name }) => ({ key: id, label: isOnly(name) ? name : `${name} (…${id.slice(-6)})` }));
  const options = [{ key: EVERY, label: "Every memberbase" }, ...named];
  return <Select label="Memberbase" options={options} value={value} onChange={onChange} isDisabled={!memberbases} />;
}

function Made({ secret, expiresAt, onClose }: { secret: string; expiresAt: string | null; onClose: () => void }) {
  return (
    <Dialog
      isOpen
      alert
      onClose={onClose}
      title="Keep this secret now"
      footer={
        <>
          <CopyTextButton text={secret} what="secret" />
          <Button variant="primary" onPress={onClose}>
            Done
          </Button>
        </>
      }
    >
      <p>It is shown this once: the server keeps only a hash of it. Whoever has it may do what the token may do.</p>
      <code className={style.secret} tabIndex={0} aria-label="Secret">
        {secret}
      </code>
      <p className={style.note}>{expiresAt ? `It expires on ${formatDateTime(expiresAt)}.` : "It does not expire."}</p>
    </Dialog>
  );
}

function expiryOf(expiry: Expiry, date: string): string | null {
  if (expiry === "never") return null;
  // In the reader's own time.
  if (expiry === "date") return new Date(`${date}T23:59:59`).toISOString();
  return new Date(Date.now() + Number(expiry) * 86_400_000).toISOString();
}
