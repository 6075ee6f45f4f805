import { Fragment, type ReactNode } from "react";

import { formatNumber } from "../format";
import { Card } from "../ui/page";
import { cell, Table } from "../ui/table";
import type { Fault } from "./events";
import style from "./import.module.css";
import { attributeOf, keyOf, REF, SOURCE_UPDATED_AT, type Choices, type Inspection, type Row } from "./parameters";
import { rowText } from "./rejects";

const MAX_FIELDS = 50;

interface Properties {
  inspection: Inspection;
  choices: Choices;
  /** Whether the rows are of choices that have changed since. */
  isStale: boolean;
}

/** The first rows as they would be stored, each with its errors. */
export function Preview({ inspection, choices, isStale }: Properties) {
  const allFields = fieldsOf(inspection, choices);
  const fields = allFields.slice(0, MAX_FIELDS);
  const left = inspection.columns.filter((column) => keyOf(column, choices) !== column.key).map(({ key }) => pathOf(key ?? ""));
  const isLeft = ({ path }: Fault) => left.some((leftPath) => path.slice(0, 2).join() === leftPath.join());
  const rows = inspection.rows.map((row) => ({ ...row, errors: (row.errors ?? []).filter((fault) => !isLeft(fault)) }));
  const invalid = rows.filter(({ errors }) => errors.length > 0).length;
  return (
    <Card flush>
      <div className={style.heading}>
        <div>
          <h2>First rows</h2>
          <p className={style.note} role="status">
            {isStale ? "Reading the file…" : outcomeOf(invalid, rows.length)}
            {allFields.length > MAX_FIELDS && ` The first ${MAX_FIELDS} of ${formatNumber(allFields.length)} fields are shown.`}
          </p>
        </div>
      </div>
      <div className={style.preview} data-stale={isStale || undefined}>
        <Table label="First rows">
          <thead>
            <tr>
              <th scope="col" className={`${cell.number} ${style.line}`}>
                Line
              </th>
              {fields.map(({ label }, at) => (
                <th scope="col" key={at}>
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <PreviewRow key={row.line} row={row} errors={row.errors} fields={fields} />
            ))}
          </tbody>
        </Table>
      </div>
    </Card>
  );
}

function outcomeOf(invalid: number, rows: number): string {
  if (invalid === 0) return "As they will be stored.";
  return `${formatNumber(invalid)} of ${formatNumber(rows)} would be rejected.`;
}

interface Field {
  path: string[];
  label: string;
}

function PreviewRow({ row, errors, fields }: { row: Row; errors: Fault[]; fields: Field[] }) {
  const member = memberOf(row);
  const faultOf = ({ path }: Field) => errors.find((fault) => fault.path.slice(0, 2).join() === path.join());
  return (
    <Fragment>
      <tr data-invalid={errors.length > 0 || undefined}>
        <td className={`${cell.number} ${cell.soft}`}>{row.line}</td>
        {member ? (
          fields.map((field, at) => (
            <td key={at} className={style.value}>
              {faultOf(field) ? (
                <span className={style.misfit}>{valueOf(member, field)}</span>
              ) : (
                valueOf(member, field)
              )}
            </td>
          ))
        ) : (
          <td colSpan={fields.length} className={style.value}>
            <code>{rowText(row)}</code>
          </td>
        )}
      </tr>
      {errors.length > 0 && (
        <tr>
          <td />
          <td colSpan={fields.length} className={style.fault}>
            {errors.map(({ column, message }, at) => (
              <p key={at}>
                {column && <strong>{column}: </strong>}
                {message}
              </p>
            ))}
          </td>
        </tr>
      )}
    </Fragment>
  );
}

interface Member {
  ref?: unknown;
  attributes?: Record<string, unknown>;
  sourceUpdatedAt?: unknown;
}

/** Returns the member of a row; null if the row could not be read as one. */
function memberOf({ row }: Row): Member | null {
  return typeof row === "object" && row !== null && !Array.isArray(row) ? row : null;
}

/** Returns the fields of members that the rows have: those of the columns first. */
function fieldsOf(inspection: Inspection, choices: Choices): Field[] {
  const keys = inspection.columns.map((column) => keyOf(column, choices)).filter((key) => key !== null);
  const omitted = inspection.columns.filter((column) => keyOf(column, choices) === null).map(({ key }) => key);
  const others = inspection.rows
    .flatMap((row) => Object.keys(memberOf(row)?.attributes ?? {}))
    .filter((key) => !omitted.some((other) => other !== null && pathOf(other)[1] === key));
  const paths = [[REF], ...keys.map(pathOf), ...others.map((key) => ["attributes", key])];
  const isFirst = (path: string[], at: number) => paths.findIndex((other) => other.join() === path.join()) === at;
  return paths.filter(isFirst).map((path) => ({ path, label: labelOf(path) }));
}

/** Returns the path in a row of what a column's key names. */
function pathOf(key: string): string[] {
  return key === REF || key === SOURCE_UPDATED_AT ? [key] : ["attributes", attributeOf(key)];
}

function labelOf([field = "", attribute]: string[]): string {
  return attribute ?? (field === SOURCE_UPDATED_AT ? "last changed" : field);
}

function valueOf(member: Member, { path: [field, attribute] }: Field): ReactNode {
  if (field === REF) return <code>{String(member.ref ?? "")}</code>;
  const value = attribute === undefined ? member.sourceUpdatedAt : member.attributes?.[attribute];
  if (value === undefined) return <span className={cell.soft}>unchanged</span>;
  if (value === null) return <span className={cell.soft}>no value</span>;
  if (value === "") return <span className={cell.soft}>empty text</span>;
  return typeof value === "string" ? value : JSON.stringify(value);
}
