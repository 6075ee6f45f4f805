import { useMutation } from "@tanstack/react-query";
import { useRef, useState, type DragEvent } from "react";

import type { Definition } from "../attributes/schema";
import { ApiError } from "../api/error";
import { Button } from "../ui/button";
import { Icon } from "../ui/icon";
import { Card } from "../ui/page";
import { Failure } from "../ui/states";
import style from "./import.module.css";
import { planOf, type Plan } from "./plan";

export function FileStep({ schema, onPlan }: { schema: Definition[]; onPlan: (plan: Plan) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  const look = useMutation({ mutationFn: (file: File) => planOf(file, {}, schema), onSuccess: onPlan });
  const take = (files: FileList | null | undefined) => {
    const file = files?.[0];
    if (file) look.mutate(file);
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
          CSV, NDJSON (one JSON object per line), or one ref per line, optionally compressed with gzip. Files with a million
          rows are fine.
        </p>
        <Button variant="primary" isPending={look.isPending} onPress={() => input.current?.click()}>
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
            // The same file may be chosen again once it was mended.
            event.target.value = "";
          }}
        />
      </div>
      {look.error && <Failure title="Couldn't read the file" error={fileError(look.error)} />}
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
    </Card>
  );
}

/** What is wrong with a file has no code of the API. */
export function fileError(error: unknown) {
  const message = error instanceof Error ? error.message : String(error);
  return new ApiError(message, { code: "UNREADABLE_FILE" });
}
