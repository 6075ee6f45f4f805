import { Label, ProgressBar } from "react-aria-components";

import { formatNumber } from "../format";
import style from "./import.module.css";
import type { Progress } from "./run";
import { duration } from "./words";

const COUNTS = [
  ["created", "Created", "Would be created"],
  ["updated", "Updated", "Would be updated"],
  ["unchanged", "Unchanged", "Unchanged"],
  ["stale", "Older than stored", "Older than stored"],
  ["skipped", "Skipped", "Skipped"],
  ["rejected", "Rejected", "Rejected"],
] as const;

/** What became, or would become, of the rows. Those that are rare are shown where there are any. */
export function Counts({ progress, dryRun = false }: { progress: Progress; dryRun?: boolean }) {
  const shown = COUNTS.filter(([key]) => !["stale", "skipped"].includes(key) || progress[key] > 0);
  return (
    <dl className={style.counts}>
      {shown.map(([key, done, would]) => (
        <div key={key} data-bad={(key === "rejected" && progress[key] > 0) || undefined}>
          <dt>{dryRun ? would : done}</dt>
          <dd>{formatNumber(progress[key])}</dd>
        </div>
      ))}
    </dl>
  );
}

/** How far it is: by the bytes that were read, and how many of the rows in them are dealt with. */
function shareOf({ bytes, size, read, done }: Progress): number {
  return size === 0 || read === 0 ? 0 : Math.min(1, bytes / size) * (done / read);
}

export function RunningBar({ progress, label }: { progress: Progress | null; label: string }) {
  const share = progress ? shareOf(progress) : 0;
  return (
    <div className={style.progress}>
      <ProgressBar value={100 * share} className={style.bar!}>
        {({ percentage = 0, valueText }) => (
          <>
            <div className={style.legend}>
              <Label>{label}</Label>
              <span>{valueText}</span>
            </div>
            <div className={style.track}>
              <div className={style.fill} style={{ width: `${percentage}%` }} />
            </div>
          </>
        )}
      </ProgressBar>
      <p className={style.note}>
        {progress?.waiting ? `Retrying: ${progress.waiting}` : progress ? pace(progress, share) : "Starting…"}
      </p>
    </div>
  );
}

function pace({ done, seconds }: Progress, share: number): string {
  const rate = seconds > 0 ? Math.round(done / seconds) : 0;
  const rows = `${formatNumber(done)} rows, ${formatNumber(rate)} per second`;
  // The first moments tell little.
  return share > 0.02 && seconds > 2 ? `${rows}, ${duration((seconds * (1 - share)) / share)} left` : rows;
}
