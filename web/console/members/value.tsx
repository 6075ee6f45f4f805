import { formatDateTime, formatDay, formatNumber } from "../format";
import type { AttributeType } from "../gql/graphql";
import style from "./value.module.css";

export type Value = string | number | boolean | string[];

/** Formats a day or a point in time in the reader's locale. */
export function formatDateValue(value: string) {
  return value.includes("T") ? formatDateTime(value) : formatDay(value);
}

/** An attribute's value, formatted by its type; a dash if there is none. */
export function AttributeValue({ value, type }: { value: Value | undefined; type?: AttributeType | undefined }) {
  if (value === undefined) {
    return (
      <span className={style.empty}>
        <span aria-hidden="true">–</span>
        <span className="visually-hidden">no value</span>
      </span>
    );
  }
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (typeof value === "number") return <span title={String(value)}>{formatNumber(value)}</span>;
  if (Array.isArray(value)) {
    return (
      <ul className={style.items}>
        {value.map((item, index) => (
          <li key={index}>{item}</li>
        ))}
      </ul>
    );
  }
  if (type === "DATE") {
    return (
      <time dateTime={value} title={value}>
        {formatDateValue(value)}
      </time>
    );
  }
  return <span className={style.text}>{value}</span>;
}
