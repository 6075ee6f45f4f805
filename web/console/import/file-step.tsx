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
        <p>CSV, a JSON object a line, or a ref a line; packed with gzip or not. A million rows are fine.</p>
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
      {look.error && <Failure title="The file could not be read" error={fileError(look.error)} />}
      <details className={style.help}>
        <summary>What a file looks like</summary>
        <div className={style.examples}>
          <figure>
            <figcaption>CSV, with a header</figcaption>
            <pre>{"ref,plan,age\nann,gold,41\nben,,"}</pre>
          </figure>
          <figure>
            <figcaption>A JSON object a line</figcaption>
            <pre>{'{"ref":"ann","attributes":{"plan":"gold"}}\n{"ref":"ben","attributes":{"age":null}}'}</pre>
          </figure>
          <figure>
            <figcaption>A ref a line</figcaption>
            <pre>{"ann\nben"}</pre>
          </figure>
        </div>
        <p>
          An empty cell removes the value, but of a text, which it makes empty; <code>\N</code> removes that too. A column that
          is left out leaves its attribute as it is.
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
