import { formatNumber } from "../format";
import style from "./memberbases.module.css";

const LABELS = [
  ["members", "Members"],
  ["attributes", "Attribute values"],
  ["clips", "Clips"],
  ["stampCollections", "Stamp collections"],
  ["transactions", "Transactions"],
] as const;

type Counts = Record<(typeof LABELS)[number][0], number>;

/** The number of records of each kind that a deletion removes. */
export function DeletedCounts({ counts }: { counts: Counts }) {
  return (
    <dl className={style.counts}>
      {LABELS.map(([key, label]) => (
        <Row key={key} label={label} count={counts[key]} />
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
