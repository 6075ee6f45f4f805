import { useMutation } from "@tanstack/react-query";

import { type Definition, SetAttributeSchema } from "../attributes/schema";
import { request } from "../api/request";
import { refresh } from "../api/queries";
import { counted } from "../format";
import { AttributeSchema } from "../members/documents";
import { hasAccess, useToken } from "../token";
import { Button } from "../ui/button";
import { Checkbox, Select } from "../ui/field";
import { Card } from "../ui/page";
import { Failure } from "../ui/states";
import { toast } from "../ui/toast";
import { CsvColumns } from "./csv-columns";
import { fileError } from "./file-step";
import style from "./import.module.css";
import { JsonKeys } from "./json-keys";
import type { Encoding, Format, Kind, Separator } from "./kind";
import { isReady, planOf, toDeclare, type Plan } from "./plan";
import type { Mode } from "./run";
import { fileSize } from "./words";

const FORMATS: { key: Format; label: string }[] = [
  { key: "csv", label: "CSV" },
  { key: "ndjson", label: "NDJSON" },
  { key: "lines", label: "One ref per line" },
];

const SEPARATORS: { key: Separator; label: string }[] = [
  { key: ",", label: "Comma" },
  { key: ";", label: "Semicolon" },
  { key: "\t", label: "Tab" },
  { key: "|", label: "Vertical bar" },
];

const ENCODINGS: { key: Encoding; label: string }[] = [
  { key: "utf-8", label: "UTF-8" },
  { key: "windows-1252", label: "Windows-1252" },
  { key: "utf-16le", label: "UTF-16, little endian" },
  { key: "utf-16be", label: "UTF-16, big endian" },
];

const MODES: { key: Mode; label: string }[] = [
  { key: "UPSERT", label: "Create and update" },
  { key: "INSERT_ONLY", label: "Only create new members" },
  { key: "UPDATE_ONLY", label: "Only update existing members" },
];

interface Properties {
  memberbaseId: string;
  schema: Definition[];
  plan: Plan;
  onChange: (plan: Plan) => void;
  onBack: () => void;
  /** With a plan that needs no new attribute any more. */
  onReady: (plan: Plan) => void;
}

export function ColumnsStep({ memberbaseId, schema, plan, onChange, onBack, onReady }: Properties) {
  const admin = hasAccess(useToken(), "ADMIN");
  const { kind } = plan.sample;
  const reread = useMutation({
    mutationFn: (said: Partial<Kind>) => planOf(plan.file, { ...plan.said, ...said }, schema),
    onSuccess: ({ sample, said, ref, sourceUpdatedAt, columns, newKeys }) =>
      onChange({ ...plan, sample, said, ref, sourceUpdatedAt, columns, newKeys }),
  });
  const declare = useMutation({
    mutationFn: (added: Definition[]) => declareAttributes(memberbaseId, added),
    onSuccess: async (_, added) => {
      toast(`Added ${counted(added.length, "attribute")}`);
      await refresh(memberbaseId);
      onReady(declared(plan));
    },
  });
  const added = toDeclare(plan);
  const isEmpty = kind.format === "csv" ? plan.columns.length === 0 : plan.sample.lines.length === 0;
  const go = () => (added.length > 0 ? declare.mutate(added) : onReady(plan));
  return (
    <>
      <Card>
        <div className={style.section}>
          <div className={style.file}>
            <h2>{plan.file.name}</h2>
            <span>{fileSize(plan.file.size)}</span>
          </div>
          <div className={style.fields}>
            <Select
              label="Format"
              options={FORMATS}
              value={kind.format}
              onChange={(format) => reread.mutate({ format })}
            />
            {kind.format === "csv" && (
              <Select
                label="Separator"
                options={SEPARATORS}
                value={kind.separator}
                onChange={(separator) => reread.mutate({ separator })}
              />
            )}
            <Select
              label="Encoding"
              options={ENCODINGS}
              value={kind.encoding}
              onChange={(encoding) => reread.mutate({ encoding })}
            />
          </div>
          {reread.error && <Failure title="Couldn't read the file with these settings" error={fileError(reread.error)} />}
        </div>
      </Card>
      {isEmpty ? (
        <Failure title="Nothing to import" error={fileError("the file has no rows: choose another file, or correct its format above")} />
      ) : (
        <>
          {kind.format === "csv" && <CsvColumns plan={plan} schema={schema} admin={admin} onChange={onChange} />}
          {kind.format === "ndjson" && plan.newKeys.length > 0 && (
            <JsonKeys keys={plan.newKeys} admin={admin} onChange={(newKeys) => onChange({ ...plan, newKeys })} />
          )}
          <Card>
            <div className={style.section}>
              <h2>Import options</h2>
              <div className={style.fields}>
                <Select label="Members" options={MODES} value={plan.mode} onChange={(mode) => onChange({ ...plan, mode })} />
              </div>
              <div className={style.option}>
                <Checkbox isSelected={plan.replaces} onChange={(replaces) => onChange({ ...plan, replaces })}>
                  <span>Replace the list: delete members that are not in this file</span>
                </Checkbox>
                <p>
                  For a file that is the complete list. You see how many members would be deleted before the import starts, and
                  confirm again before they are deleted.
                </p>
              </div>
            </div>
          </Card>
        </>
      )}
      {declare.error && <Failure title="Couldn't add the attributes" error={declare.error} />}
      <div className={style.buttons}>
        <Button onPress={onBack}>Back</Button>
        <Button
          variant="primary"
          isDisabled={isEmpty || !isReady(plan, schema) || reread.isPending}
          isPending={declare.isPending}
          onPress={go}
        >
          {added.length > 0 ? `Add ${counted(added.length, "attribute")} and continue` : "Continue"}
        </Button>
      </div>
    </>
  );
}

/** Adds to what is declared now, which may be more than when the page was loaded. */
async function declareAttributes(memberbaseId: string, added: Definition[]) {
  const { memberbase } = await request(AttributeSchema, { id: memberbaseId });
  const there = memberbase?.attributeSchema ?? [];
  const attributes = [...there, ...added.filter(({ key }) => !there.some((attribute) => attribute.key === key))];
  return request(SetAttributeSchema, { input: { memberbaseId, attributes } });
}

/** The plan once what was new is declared. */
function declared(plan: Plan): Plan {
  const columns = plan.columns.map((column) =>
    column.target.to === "new" ? { ...column, target: { to: "attribute" as const, key: column.target.key } } : column,
  );
  return { ...plan, columns, newKeys: plan.newKeys.filter(({ isWanted }) => !isWanted) };
}
