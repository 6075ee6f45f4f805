import { type ReactNode, useEffect, useState, useSyncExternalStore } from "react";

import { counted, formatNumber } from "../format";
import { Button } from "../ui/button";
import { Card } from "../ui/page";
import { Failure } from "../ui/states";
import style from "./import.module.css";
import { Counts, RunningBar } from "./outcome";
import type { Plan } from "./plan";
import { Preview } from "./preview";
import { RejectedRows } from "./rejected-rows";
import { problemError } from "./run-step";
import { percent } from "./words";
import { Work, type Order, type State } from "./work";

/** So many rows are checked by themselves; all of them by a press. */
const FIRST_ROWS = 100_000;

interface Properties {
  plan: Plan;
  order: Omit<Order, "dryRun" | "maxRows">;
  onBack: () => void;
  onImport: () => void;
}

export function CheckStep({ plan, order, onBack, onImport }: Properties) {
  // Who is missing can be told by the whole file alone.
  const [maxRows, setMaxRows] = useState(plan.replaces ? Infinity : FIRST_ROWS);
  const [tries, setTries] = useState(0);
  const [work, setWork] = useState<Work | null>(null);
  useEffect(() => {
    const work = new Work({ ...order, dryRun: true, maxRows });
    setWork(work);
    return work.stop;
    // What is ordered does not change while this step is shown.
  }, [maxRows, tries]);
  return (
    <>
      {work && (
        <Check
          key={`${maxRows}/${tries}`}
          work={work}
          preview={
            <Card flush>
              <Preview plan={plan} columns={order.columns} />
            </Card>
          }
          replaces={plan.replaces}
          onAll={() => setMaxRows(Infinity)}
          onRetry={() => setTries(tries + 1)}
          onBack={onBack}
          onImport={onImport}
        />
      )}
    </>
  );
}

interface CheckProperties {
  work: Work;
  preview: ReactNode;
  replaces: boolean;
  onAll: () => void;
  onRetry: () => void;
  onBack: () => void;
  onImport: () => void;
}

function Check({ work, preview, replaces, onAll, onRetry, onBack, onImport }: CheckProperties) {
  const state = useSyncExternalStore(work.subscribe, work.snapshot);
  const { phase, progress, result, error } = state;
  const hasEnded = phase === "ended";
  const problem = error ?? (result?.problem ? problemError(result.problem) : null);
  const isUseless = result !== null && result.done === result.rejected;
  return (
    <>
      <Card>
        <div className={style.section}>
          <h2>{title(state)}</h2>
          {!hasEnded && <RunningBar progress={progress} label="Check" />}
          {progress && <Counts progress={progress} dryRun />}
          {hasEnded && replaces && <Missing state={state} />}
          {problem !== null && <Failure title="The check couldn't finish" error={problem} onRetry={onRetry} />}
          <div className={style.buttons} data-start>
            {!hasEnded && (
              <Button isPending={state.isStopping} onPress={work.stop}>
                Stop check
              </Button>
            )}
            {hasEnded && result?.end === "limited" && <Button onPress={onAll}>Check the whole file</Button>}
          </div>
        </div>
      </Card>
      {hasEnded && problem === null && isUseless && (
        <p className={style.warning} role="status">
          {result.end === "complete" && result.read === 0 ? "The file has no rows" : "No rows passed the check"}: there is
          nothing to import.
        </p>
      )}
      <div className={style.buttons}>
        <Button onPress={onBack}>Back</Button>
        <Button
          variant="primary"
          icon="import"
          isDisabled={!hasEnded || problem !== null || isUseless}
          onPress={onImport}
        >
          Import
        </Button>
      </div>
      {result && <RejectedRows result={result} dryRun />}
      {preview}
    </>
  );
}

function title({ phase, result }: State): string {
  if (phase !== "ended") return "Checking the file: nothing is changed";
  switch (result?.end) {
    case "complete":
      return `Preview of ${counted(result.read, "row")}`;
    case "limited":
      return `Preview of the first ${counted(result.read, "row")}`;
    case "stopped":
      return `Check stopped after ${counted(result.done, "row")}`;
    default:
      return "Preview";
  }
}

/** Who would be deleted. */
function Missing({ state: { prospect, result } }: { state: State }) {
  if (result?.end !== "complete") return null;
  if (!prospect) {
    const why = result.ofNobody
      ? `${counted(result.ofNobody, "row")} can't be attributed to a member, so no members would be deleted. Correct the rejected rows below and check the file again.`
      : "No members would be deleted.";
    return <p className={style.warning}>{why}</p>;
  }
  const { missing, members } = prospect;
  if (missing === 0) return <p>Every member is in the file. No members would be deleted.</p>;
  return (
    <p className={style.warning}>
      <strong>
        {formatNumber(missing)} of {counted(members, "member")} ({percent(missing / members)})
      </strong>{" "}
      {missing === 1 ? "is" : "are"} not in the file and would be deleted, with everything attached to {missing === 1 ? "it" : "them"}.
    </p>
  );
}
