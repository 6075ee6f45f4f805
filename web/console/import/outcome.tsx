import { Label, ProgressBar } from "react-aria-components";

import { formatNumber } from "../format";
import type { Totals } from "./events";
import style from "./import.module.css";
import { duration } from "./words";
import type { Work } from "./work";

const COUNTS = [
  ["created", "Created", "Would be created"],
  ["updated", "Updated", "Would be updated"],
  ["unchanged", "Unchanged", "Unchanged"],
  ["stale", "Older than stored", "Older than stored"],
  ["skipped", "Skipped", "Skipped"],
  ["rejected", "Rejected", "Rejected"],
] as const;

/** The outcomes of the rows. Rare ones are shown if there are any. */
export function Counts({ totals, dryRun = false }: { totals: Totals; dryRun?: boolean }) {
  const shown = COUNTS.filter(([key]) => !["stale", "skipped"].includes(key) || totals[key] > 0);
  return (
    <dl className={style.counts}>
      {shown.map(([key, done, would]) => (
        <div key={key} data-bad={(key === "rejected" && totals[key] > 0) || undefined}>
          <dt>{dryRun ? would : done}</dt>
          <dd>{formatNumber(totals[key])}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The part of the file that the server has received. */
export function RunningBar({ work, label }: { work: Work; label: string }) {
  const { totals, seconds, isStopping } = work.state;
  const share = Math.min(1, totals.bytes / Math.max(1, work.order.file.size));
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
      <p className={style.note}>{isStopping ? "Stopping…" : totals.bytes > 0 ? pace(totals, share, seconds) : "Starting…"}</p>
    </div>
  );
}

function pace({ rows }: Totals, share: number, seconds: number): string {
  const rate = seconds > 0 ? Math.round(rows / seconds) : 0;
  const text = `${formatNumber(rows)} rows, ${formatNumber(rate)} per second`;
  // An estimate from the first seconds would be wrong.
  return share > 0.02 && share < 1 && seconds > 2 ? `${text}, ${duration((seconds * (1 - share)) / share)} left` : text;
}
