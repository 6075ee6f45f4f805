import { useSyncExternalStore } from "react";

import { counted } from "../format";
import { href } from "../router";
import { Button, ButtonLink } from "../ui/button";
import { Card } from "../ui/page";
import { Failure } from "../ui/states";
import type { Current } from "./current";
import style from "./import.module.css";
import { Counts, RunningBar } from "./outcome";
import { RejectedRows } from "./rejected-rows";
import { duration } from "./words";
import type { State } from "./work";

export function RunStep({ work, memberbase, onAgain }: Current & { onAgain: () => void }) {
  const state = useSyncExternalStore(work.subscribe, work.snapshot);
  const { phase, totals, end, error } = state;
  const { file, parameters } = work.order;
  const replaces = parameters.some(([name]) => name === "mirror");
  const canContinue = end === "stopped" || error?.retryable === true;
  return (
    <>
      <Card>
        <div className={style.section}>
          <div role="status">
            <h2>{title(state, file.name)}</h2>
          </div>
          {phase === "running" && <RunningBar work={work} label="Progress" />}
          <Counts totals={totals} />
          {phase === "ended" && <p>{ending(state, replaces, canContinue)}</p>}
          {error && <Failure title="The import couldn't finish" error={error} />}
          <div className={style.buttons} data-start>
            {phase === "running" && (
              <Button isPending={state.isStopping} onPress={work.stop}>
                Stop
              </Button>
            )}
            {canContinue && (
              <Button variant="primary" icon="refresh" onPress={work.resume}>
                Continue
              </Button>
            )}
            {phase === "ended" && (
              <>
                <ButtonLink
                  href={href(["memberbases", memberbase.id, "members"])}
                  variant={canContinue ? "plain" : "primary"}
                  icon="members"
                >
                  View members
                </ButtonLink>
                <Button icon="import" onPress={onAgain}>
                  Import another file
                </Button>
              </>
            )}
          </div>
          {phase === "running" && (
            <p className={style.note}>You can use other pages of the console while the import runs. Keep this tab open.</p>
          )}
        </div>
      </Card>
      {phase === "ended" && <RejectedRows state={state} />}
    </>
  );
}

function title({ phase, end }: State, fileName: string): string {
  if (phase === "running") return `Importing ${fileName}`;
  switch (end) {
    case "complete":
      return `Imported ${fileName}`;
    case "stopped":
      return "Import stopped";
    default:
      return "Import failed";
  }
}

function ending({ end, totals, seconds, deleted }: State, replaces: boolean, canContinue: boolean): string {
  const rows = `${counted(totals.rows, "row")} in ${duration(seconds)}.`;
  const kept = "No members were deleted.";
  if (end === "complete") {
    if (!replaces) return rows;
    return `${rows} ${deleted > 0 ? `Deleted ${counted(deleted, "member that was", "members that were")} not in the file.` : kept}`;
  }
  const next = canContinue
    ? "Continue sends the file again and skips the rows that are stored."
    : "You can import the file again: rows that are stored are unchanged then.";
  return `${rows} Rows that were stored are kept. ${next}${replaces ? ` ${kept}` : ""}`;
}
