import { formatNumber } from "../format";
import style from "./memberbases.module.css";

const ROWS = [
  ["members", "Members"],
  ["attributes", "Attribute values"],
  ["clips", "Clips"],
  ["stampCollections", "Stamp collections"],
  ["transactions", "Transactions"],
] as const;

type Rows = Record<(typeof ROWS)[number][0], number>;

/** What goes, or has gone, with a deletion. */
export function Gone({ rows }: { rows: Rows }) {
  return (
    <dl className={style.gone}>
      {ROWS.map(([key, label]) => (
        <Row key={key} label={label} count={rows[key]} />
      ))}
    </dl>
  );
}

function Row({ label, count }: { label: string; count: number }) {
  return (
    <>
      <dt>{label}</dt>
      <dd>{formatNumber(count)}</dd>
    </>
  );
}
