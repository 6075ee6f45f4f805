import { useState, useSyncExternalStore } from "react";

import { ApiError } from "../api/error";
import { counted, formatNumber } from "../format";
import { href } from "../router";
import { Button, ButtonLink } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Card } from "../ui/page";
import { Failure } from "../ui/states";
import type { Current } from "./current";
import style from "./import.module.css";
import { Counts, RunningBar } from "./outcome";
import { RejectedRows } from "./rejected-rows";
import type { Problem, Result } from "./run";
import { duration, percent } from "./words";
import type { Prospect, State, Work } from "./work";

/** What is wrong as the pages show it. */
export function problemError({ message, code, traceId }: Problem) {
  return new ApiError(message, { code: code || "UNEXPECTED", traceId: traceId ?? undefined });
}

export function RunStep({ work, memberbase, fileName, onAgain }: Current & { onAgain: () => void }) {
  const state = useSyncExternalStore(work.subscribe, work.snapshot);
  const { phase, progress, result, error } = state;
  const isRunning = phase === "opening" || phase === "running";
  return (
    <>
      <Card>
        <div className={style.section}>
          <div role="status">
            <h2>{title(state, fileName)}</h2>
          </div>
          {isRunning && <RunningBar progress={progress} label="Progress" />}
          {progress && <Counts progress={progress} />}
          {result && <Ending state={state} replaces={work.order.replaces} result={result} />}
          {result?.problem && <Failure title="The import couldn't finish" error={problemError(result.problem)} />}
          {error !== null && phase !== "deciding" && <Failure title="The sync couldn't finish" error={error} />}
          <div className={style.buttons} data-start>
            {isRunning && (
              <Button isPending={state.isStopping} onPress={work.stop}>
                Stop
              </Button>
            )}
            {phase === "ended" && (
              <>
                <ButtonLink href={href(["memberbases", memberbase.id, "members"])} variant="primary" icon="members">
                  View members
                </ButtonLink>
                <Button icon="import" onPress={onAgain}>
                  Import another file
                </Button>
              </>
            )}
          </div>
          {isRunning && (
            <p className={style.note}>You can use other pages of the console while the import runs. Keep this tab open.</p>
          )}
        </div>
      </Card>
      {result && <RejectedRows result={result} />}
      {phase === "deciding" && state.prospect && <DeleteMissing work={work} prospect={state.prospect} error={error} />}
    </>
  );
}

function title({ phase, result }: State, fileName: string): string {
  if (phase === "opening" || phase === "running") return `Importing ${fileName}`;
  switch (result?.end) {
    case "complete":
      return `Imported ${fileName}`;
    case "stopped":
      return "Import stopped";
    default:
      return "Import failed";
  }
}

function Ending({ state, result, replaces }: { state: State; result: Result; replaces: boolean }) {
  const { deleted, phase } = state;
  const rows = `${counted(result.done, "row")} in ${duration(result.seconds)}.`;
  if (result.end !== "complete") {
    return <p>{rows} Rows that were stored are kept. Import the file again to continue. No members were deleted.</p>;
  }
  if (!replaces || phase !== "ended") return <p>{rows}</p>;
  if (result.ofNobody > 0) {
    return (
      <p className={style.warning}>
        {rows} {counted(result.ofNobody, "row")} can't be attributed to a member, so no members were deleted. Correct the
        rejected rows below and import the file again.
      </p>
    );
  }
  return (
    <p>
      {rows} {deleted ? `Deleted ${counted(deleted, "member that was", "members that were")} not in the file.` : "No members were deleted."}
    </p>
  );
}

/** All is stored; whoever is not in the file goes by a press alone. */
function DeleteMissing({ work, prospect, error }: { work: Work; prospect: Prospect; error: unknown }) {
  const [isPending, setPending] = useState(false);
  const { missing, members } = prospect;
  const decide = (what: () => Promise<void>) => () => {
    setPending(true);
    void what().finally(() => setPending(false));
  };
  return (
    <Dialog
      isOpen
      alert
      onClose={decide(work.keep)}
      title={`Delete ${counted(missing, "member")}?`}
      footer={
        <>
          <Button isDisabled={isPending} onPress={decide(work.keep)}>
            Keep members
          </Button>
          <Button variant="danger" isPending={isPending} onPress={decide(work.commit)}>
            Delete {counted(missing, "member")}
          </Button>
        </>
      }
    >
      <p>
        The file is imported. {formatNumber(missing)} of {counted(members, "member")} (
        {percent(members === 0 ? 0 : missing / members)}) {missing === 1 ? "is" : "are"} not in it. Deleting them also deletes
        their attributes, clips, stamp collections and transactions. You can't undo this.
      </p>
      {error !== null && <Failure error={error} onRetry={() => void work.look()} />}
    </Dialog>
  );
}
