import { counted, formatNumber } from "../format";
import { Button } from "../ui/button";
import { Card } from "../ui/page";
import { cell, Table } from "../ui/table";
import style from "./import.module.css";
import type { Result } from "./run";

/** How long a browser may take to begin a download. */
const BEGIN = 60_000;

export function RejectedRows({ result, dryRun = false }: { result: Result; dryRun?: boolean }) {
  const { rejected, rejects, rejectsFile } = result;
  if (rejected === 0) return null;
  return (
    <Card flush>
      <div className={style.heading}>
        <div>
          <h2>{counted(rejected, dryRun ? "row would be rejected" : "row was rejected", dryRun ? "rows would be rejected" : "rows were rejected")}</h2>
          {rejected > rejects.length && <p className={style.note}>Showing the first {formatNumber(rejects.length)}.</p>}
        </div>
        <Button icon="import" onPress={() => save(rejectsFile, "rejected-rows.csv")}>
          Download as CSV
        </Button>
      </div>
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
            {rejects.map(({ line, ref, fault, raw }, at) => (
              <tr key={at}>
                <td className={cell.number}>{formatNumber(line)}</td>
                <td className={style.ref}>{ref === null ? <span className={cell.soft}>none</span> : <code>{ref}</code>}</td>
                <td className={style.why}>
                  {fault.message} <code className={cell.soft}>{fault.code}</code>
                </td>
                <td className={`${cell.wide} ${style.raw}`}>
                  <code>{raw}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </Table>
      </div>
    </Card>
  );
}

function save(file: Blob, name: string) {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), BEGIN);
}
