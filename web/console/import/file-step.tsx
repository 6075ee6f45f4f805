import { useMutation } from "@tanstack/react-query";
import { useRef, useState, type DragEvent } from "react";

import { isRetryable } from "../api/error";
import { queries } from "../api/queries";
import { Button } from "../ui/button";
import { Icon } from "../ui/icon";
import { Card } from "../ui/page";
import { Failure } from "../ui/states";
import style from "./import.module.css";
import { inspectionOf } from "./inspection";
import { newPlan, type Plan } from "./plan";

interface Properties {
  memberbaseId: string;
  onPlan: (plan: Plan) => void;
}

export function FileStep({ memberbaseId, onPlan }: Properties) {
  const input = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  const inspection = useMutation({
    mutationFn: async (file: File) => {
      const plan = newPlan(file);
      await queries.fetchQuery(inspectionOf(memberbaseId, file, plan.choices));
      return plan;
    },
    onSuccess: onPlan,
  });
  const take = (files: FileList | null | undefined) => {
    const file = files?.[0];
    if (file) inspection.mutate(file);
  };
  const drag = (over: boolean) => (event: DragEvent) => {
    event.preventDefault();
    setOver(over);
  };
  return (
    <Card>
      <div
        className={style.drop}
        data-over={isOver || undefined}
        onDragEnter={drag(true)}
        onDragOver={drag(true)}
        onDragLeave={drag(false)}
        onDrop={(event) => {
          drag(false)(event);
          take(event.dataTransfer.files);
        }}
      >
        <span className={style.iconCircle}>
          <Icon name="import" size={24} />
        </span>
        <h2>Drop a file here</h2>
        <p>
          CSV, NDJSON (one JSON object per line), or one ref per line, of any size. The file may be compressed with gzip or zstd.
        </p>
        <Button variant="primary" isPending={inspection.isPending} onPress={() => input.current?.click()}>
          Choose a file
        </Button>
        <input
          ref={input}
          type="file"
          className="visually-hidden"
          tabIndex={-1}
          aria-hidden="true"
          onChange={(event) => {
            take(event.target.files);
            // So that the same file can be chosen again after it was corrected.
            event.target.value = "";
          }}
        />
      </div>
      {inspection.error && (
        <Failure
          title={`Couldn't read ${inspection.variables.name}`}
          error={inspection.error}
          onRetry={isRetryable(inspection.error) ? () => inspection.mutate(inspection.variables) : undefined}
        />
      )}
      <Examples />
    </Card>
  );
}

function Examples() {
  return (
    <details className={style.help}>
      <summary>Example files</summary>
      <div className={style.examples}>
        <figure>
          <figcaption>CSV with a header</figcaption>
          <pre>{"ref,plan,age\nann,gold,41\nben,,"}</pre>
        </figure>
        <figure>
          <figcaption>NDJSON: one JSON object per line</figcaption>
          <pre>{'{"ref":"ann","attributes":{"plan":"gold"}}\n{"ref":"ben","attributes":{"age":null}}'}</pre>
        </figure>
        <figure>
          <figcaption>One ref per line</figcaption>
          <pre>{"ann\nben"}</pre>
        </figure>
      </div>
      <p>
        An empty cell removes the value; for a text attribute it stores an empty text. <code>\N</code> removes the value of any
        attribute. Attributes without a column stay as they are.
      </p>
    </details>
  );
}
