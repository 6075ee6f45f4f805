import { useQuery } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";

import { queryFor } from "../api/queries";
import { counted, formatNumber } from "../format";
import { CountMembers } from "../memberbases/member-count";
import { href } from "../router";
import { Button, ButtonLink } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Card } from "../ui/page";
import { Failure, Pending } from "../ui/states";
import style from "./import.module.css";
import { Counts, RunningBar } from "./outcome";
import type { Inspection } from "./parameters";
import { importParameters, type Plan } from "./plan";
import { RejectedRows } from "./rejected-rows";
import { percent } from "./words";
import { Work, type State } from "./work";

interface Properties {
  memberbaseId: string;
  plan: Plan;
  inspection: Inspection;
  onBack: () => void;
  /** Called with the percentage of the members that may be deleted. */
  onImport: (maxDeletedPercent: number) => void;
}

/** Runs a dry run of the whole file. */
export function CheckStep(properties: Properties) {
  const { memberbaseId, plan, inspection } = properties;
  const [tries, setTries] = useState(0);
  const [work, setWork] = useState<Work | null>(null);
  useEffect(() => {
    // The limit is that of the import; the check shows how many members it would delete.
    const parameters = importParameters(plan, inspection, 100);
    const work = new Work({ file: plan.file, memberbaseId, parameters, dryRun: true });
    setWork(work);
    return work.kill;
    // The plan does not change while this step is shown.
  }, [tries]);
  return work && <Check key={tries} {...properties} work={work} onRetry={() => setTries(tries + 1)} />;
}

interface CheckProperties extends Properties {
  work: Work;
  onRetry: () => void;
}

function Check({ memberbaseId, plan, work, onRetry, onBack, onImport }: CheckProperties) {
  const state = useSyncExternalStore(work.subscribe, work.snapshot);
  const { phase, end, error, deleted } = state;
  const [isConfirming, setConfirming] = useState(false);
  const isMirrored = plan.replaces && end === "complete";
  const members = useQuery({
    ...queryFor(memberbaseId, CountMembers, { memberbaseId }),
    enabled: isMirrored,
    staleTime: 0,
  });
  const total = members.data?.members?.totalCount;
  const blocked = blockedBy(plan, state);
  const isReady = phase === "ended" && error === null && blocked === null && (!isMirrored || total !== undefined);
  // The share of the present members, so that the rows of the import can only make it smaller.
  const share = total ? Math.min(1, deleted / total) : 0;
  const start = () => onImport(Math.min(100, 100 * share + 1e-9));
  return (
    <>
      <Card>
        <div className={style.section}>
          <div role="status">
            <h2>{title(state)}</h2>
          </div>
          {phase === "running" && <RunningBar work={work} label="Check" />}
          <Counts totals={state.totals} dryRun />
          {isMirrored && (
            <Missing deleted={deleted} total={total} error={members.error} onRetry={() => void members.refetch()} />
          )}
          {error && <Failure title="The check couldn't finish" error={error} onRetry={onRetry} />}
          <CheckActions memberbaseId={memberbaseId} plan={plan} work={work} onRetry={onRetry} />
        </div>
      </Card>
      {blocked !== null && (
        <p className={style.warning} role="status">
          {blocked}
        </p>
      )}
      <div className={style.buttons}>
        <Button onPress={onBack}>Back</Button>
        <Button
          variant="primary"
          icon="import"
          isDisabled={!isReady}
          onPress={() => (share > 0 ? setConfirming(true) : start())}
        >
          Import
        </Button>
      </div>
      <RejectedRows state={state} dryRun />
      {isConfirming && (
        <ConfirmDeletion deleted={deleted} share={share} onClose={() => setConfirming(false)} onConfirm={start} />
      )}
    </>
  );
}

function CheckActions({ memberbaseId, plan, work, onRetry }: Omit<CheckProperties, "onBack" | "onImport" | "inspection">) {
  const { phase, end, error, isStopping } = work.state;
  return (
    <div className={style.buttons} data-start>
      {phase === "running" && (
        <Button isPending={isStopping} onPress={work.stop}>
          Stop check
        </Button>
      )}
      {end === "stopped" && (
        <Button icon="refresh" onPress={onRetry}>
          Check again
        </Button>
      )}
      {/* Another sync is open, which can be abandoned there. */}
      {plan.replaces && error?.code === "CONFLICT" && (
        <ButtonLink href={href(["memberbases", memberbaseId, "syncs"])} icon="sync">
          View syncs
        </ButtonLink>
      )}
    </div>
  );
}

function title({ phase, end, totals }: State): string {
  if (phase === "running") return "Checking the file: nothing is changed";
  switch (end) {
    case "complete":
      return `Preview of ${counted(totals.rows, "row")}`;
    case "stopped":
      return `Check stopped after ${counted(totals.rows, "row")}`;
    default:
      return "Preview";
  }
}

/** Returns why nothing should be imported after a check without a failure; null if the import can start. */
function blockedBy({ replaces, onError }: Plan, { end, totals }: State): string | null {
  if (end === "complete" && totals.rows === 0) return "The file has no rows: there is nothing to import.";
  if (end === "complete" && totals.rows === totals.rejected) return "No rows passed the check: there is nothing to import.";
  if (end === "stopped" && replaces) return "To replace the list, check the whole file first.";
  if (end !== null && onError === "reject" && totals.rejected > 0) {
    return "The import would stop at an invalid row. Correct the file, or go back and choose to leave invalid rows out.";
  }
  return null;
}

interface MissingProperties {
  deleted: number;
  total: number | undefined;
  error: unknown;
  onRetry: () => void;
}

/** The members that would be deleted. */
function Missing({ deleted, total, error, onRetry }: MissingProperties) {
  if (deleted === 0) return <p>Every member is in the file. No members would be deleted.</p>;
  if (error && total === undefined) return <Failure title="Couldn't count the members" error={error} onRetry={onRetry} />;
  if (total === undefined) return <Pending label="Counting members" />;
  return (
    <p className={style.warning}>
      <strong>
        {formatNumber(deleted)} of {counted(total, "member")} ({percent(deleted / total)})
      </strong>{" "}
      {deleted === 1 ? "is" : "are"} not in the file and would be deleted, with everything attached to{" "}
      {deleted === 1 ? "it" : "them"}.
    </p>
  );
}

interface ConfirmProperties {
  deleted: number;
  share: number;
  onClose: () => void;
  onConfirm: () => void;
}

function ConfirmDeletion({ deleted, share, onClose, onConfirm }: ConfirmProperties) {
  return (
    <Dialog
      isOpen
      alert
      onClose={onClose}
      title={`Delete ${counted(deleted, "member")}?`}
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button variant="danger" onPress={onConfirm}>
            Import and delete {counted(deleted, "member")}
          </Button>
        </>
      }
    >
      <p>
        After the file is imported, the members that are not in it are deleted, with their attributes, clips, stamp collections
        and transactions. You can't undo this. If more than {percent(share)} of the members would be deleted by then, none is.
      </p>
    </Dialog>
  );
}
