import { counted, formatNumber } from "../format";
import { Button } from "../ui/button";
import { Card } from "../ui/page";
import { cell, Table } from "../ui/table";
import type { Rejected } from "./events";
import style from "./import.module.css";
import { faultsOf, rowText } from "./rejects";
import type { State } from "./work";

/** Time after which the browser has begun the download. */
const DOWNLOAD_DELAY_MS = 60_000;

export function RejectedRows({ state, dryRun = false }: { state: State; dryRun?: boolean }) {
  const { totals, rejects } = state;
  // After a failure, some rejected rows may have been counted only.
  const count = Math.max(totals.rejected, rejects.count);
  if (count === 0) return null;
  const { first } = rejects;
  const heading = dryRun
    ? counted(count, "row would be rejected", "rows would be rejected")
    : counted(count, "row was rejected", "rows were rejected");
  return (
    <Card flush>
      <div className={style.heading}>
        <div>
          <h2>{heading}</h2>
          {count > first.length && <p className={style.note}>{shownOf(first.length, rejects.count, count)}</p>}
        </div>
        {rejects.count > 0 && (
          <Button icon="import" onPress={() => save(rejects.file(), "rejected-rows.csv")}>
            Download as CSV
          </Button>
        )}
      </div>
      {first.length > 0 && <List rows={first} />}
    </Card>
  );
}

function shownOf(shown: number, reported: number, count: number): string {
  const list = `Showing the first ${formatNumber(shown)}.`;
  return reported < count ? `${list} The server reported ${formatNumber(reported)} of ${formatNumber(count)}.` : list;
}

function List({ rows }: { rows: readonly Rejected[] }) {
  return (
    <div className={style.rejects}>
      <Table label="Rejected rows">
        <thead>
          <tr>
            <th scope="col" className={`${cell.number} ${style.line}`}>
              Line
            </th>
            <th scope="col">Ref</th>
            <th scope="col">Reason</th>
            <th scope="col" className={cell.wide}>
              Row
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              <td className={cell.number}>{formatNumber(row.line)}</td>
              <td className={style.ref}>
                {row.ref === undefined ? <span className={cell.soft}>none</span> : <code>{row.ref}</code>}
              </td>
              <td className={style.why}>
                {faultsOf(row).map(({ column, message, code }, at) => (
                  <p key={at}>
                    {column && <strong>{column}: </strong>}
                    {message} <code className={cell.soft}>{code}</code>
                  </p>
                ))}
              </td>
              <td className={`${cell.wide} ${style.raw}`}>
                <code>{rowText(row)}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
    </div>
  );
}

function save(file: Blob, name: string) {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), DOWNLOAD_DELAY_MS);
}
