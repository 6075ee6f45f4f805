import { useMutation, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { ApiError } from "../api/error";
import { refresh } from "../api/queries";
import type { Definition } from "../attributes/schema";
import { counted } from "../format";
import { hasAccess, useToken } from "../token";
import { Button } from "../ui/button";
import { Card } from "../ui/page";
import { Failure, Loading } from "../ui/states";
import { toast } from "../ui/toast";
import { ColumnsTable } from "./columns-table";
import { FileOptions } from "./file-options";
import { ImportOptions } from "./import-options";
import style from "./import.module.css";
import { inspectionOf } from "./inspection";
import { addAttributes, newFault, withAttributes, type NewAttributes } from "./new-attributes";
import { keyOf, REF, type Choices, type Inspection } from "./parameters";
import type { Plan } from "./plan";
import { Preview } from "./preview";

/** Time without a change after which the file is inspected again. */
const DEBOUNCE_MS = 250;

const NO_ATTRIBUTES: NewAttributes = new Map();

interface Properties {
  memberbaseId: string;
  schema: Definition[];
  plan: Plan;
  onChange: (plan: Plan) => void;
  onBack: () => void;
  onReady: (inspection: Inspection) => void;
}

export function ColumnsStep({ memberbaseId, schema, plan, onChange, onBack, onReady }: Properties) {
  const admin = hasAccess(useToken(), "ADMIN");
  const { choices, file } = plan;
  const { inspection, error, isStale, retry } = useInspection(memberbaseId, file, choices);
  const [wanted, setWanted] = useState(NO_ATTRIBUTES);
  // With other settings, the file may have other columns.
  const added = new Map([...wanted].filter(([column]) => inspection?.columns.some(({ name }) => name === column)));
  const choose = (choices: Choices) => onChange({ ...plan, choices });
  const add = useMutation({
    mutationFn: () => addAttributes(memberbaseId, added),
    onSuccess: async () => {
      toast(`Added ${counted(added.size, "attribute")}`);
      setWanted(NO_ATTRIBUTES);
      if (inspection) onChange({ ...plan, choices: withAttributes(choices, inspection, added) });
      await refresh(memberbaseId);
    },
  });
  if (!inspection) {
    return error ? (
      <>
        <Failure title={`Couldn't read ${file.name}`} error={error} onRetry={retry} />
        <div className={style.buttons}>
          <Button onPress={onBack}>Back</Button>
        </div>
      </>
    ) : (
      <Card>
        <Loading />
      </Card>
    );
  }
  const { format, columns, rows } = inspection;
  const isWithoutRef = columns.length > 0 && columns.every((column) => keyOf(column, choices) !== REF);
  const problem = isWithoutRef ? null : problemOf(inspection);
  const isAddable = [...added.keys()].every((column) => newFault(added, column, schema) === undefined);
  return (
    <>
      <FileOptions file={file} inspection={inspection} choices={choices} onChange={choose} />
      {error && <Failure title="Couldn't read the file with these settings" error={error} onRetry={retry} />}
      {problem && <Failure title="This file can't be imported yet" error={problem} />}
      {isWithoutRef && (
        <p className={style.warning} role="status">
          Choose which {format === "csv" ? "column" : "field"} is the ref, which identifies a member.
        </p>
      )}
      {columns.length > 0 && (
        <ColumnsTable
          inspection={inspection}
          choices={choices}
          schema={schema}
          added={added}
          admin={admin}
          onChange={choose}
          onAdd={setWanted}
        />
      )}
      {add.error && <Failure title="Couldn't add the attributes" error={add.error} />}
      {rows.length > 0 && <Preview inspection={inspection} choices={choices} isStale={isStale} />}
      <ImportOptions plan={plan} onChange={onChange} />
      <div className={style.buttons}>
        <Button onPress={onBack}>Back</Button>
        {added.size > 0 ? (
          <Button variant="primary" isDisabled={!isAddable} isPending={add.isPending} onPress={() => add.mutate()}>
            Add {counted(added.size, "attribute")}
          </Button>
        ) : (
          <Button variant="primary" isDisabled={isWithoutRef || problem !== null || isStale} onPress={() => onReady(inspection)}>
            Continue
          </Button>
        )}
      </div>
    </>
  );
}

/** Inspects the file after each change of the choices. Until the server responds, the last inspection is returned. */
function useInspection(memberbaseId: string, file: File, choices: Choices) {
  const [settled, setSettled] = useState(choices);
  const [last, setLast] = useState<Inspection | undefined>(undefined);
  useEffect(() => {
    const timer = setTimeout(setSettled, DEBOUNCE_MS, choices);
    return () => clearTimeout(timer);
  }, [choices]);
  const { data, error, isPlaceholderData, isFetching, refetch } = useQuery(inspectionOf(memberbaseId, file, settled));
  useEffect(() => {
    if (data) setLast(data);
  }, [data]);
  const isStale = settled !== choices || isPlaceholderData || isFetching || error !== null;
  return { inspection: data ?? last, error, isStale, retry: () => void refetch() };
}

/** Returns why the file can't be imported as it is read now; null if it can. */
function problemOf({ rows, problem }: Inspection): ApiError | null {
  const message = problem ?? (rows.length === 0 ? "the file has no rows: choose another file" : null);
  return message === null ? null : new ApiError(message, { code: "UNREADABLE_FILE" });
}
