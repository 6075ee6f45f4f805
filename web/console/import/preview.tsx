import type { ReactNode } from "react";

import { cell, Table } from "../ui/table";
import { fits, read, type AttributeType } from "./cell";
import { rowOf, type Columns } from "./columns";
import style from "./import.module.css";
import { rowOfJson } from "./ndjson";
import { attributesOf, type Plan } from "./plan";
import { rowOfLine } from "./rows";

const ROWS = 10;

interface Properties {
  plan: Plan;
  columns: Columns | null;
}

/** The first rows as they are understood. */
export function Preview({ plan, columns }: Properties) {
  const { records, lines, kind } = plan.sample;
  const table = columns
    ? ofCsv(records.slice(1, ROWS + 1), columns)
    : ofLines(lines.slice(0, ROWS), kind.format === "ndjson");
  return (
    <>
      <div className={style.heading}>
        <div>
          <h2>First rows</h2>
          <p className={style.note}>As they will be imported.</p>
        </div>
      </div>
      <Table label="First rows">
        <thead>
          <tr>
            <th scope="col" className={`${cell.number} ${style.line}`}>
              Line
            </th>
            {table.header.map((name) => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map(({ line, cells, fault }) => (
            <tr key={line}>
              <td className={`${cell.number} ${cell.soft}`}>{line}</td>
              {fault !== null ? (
                <td colSpan={table.header.length} className={style.fault}>
                  {fault}
                </td>
              ) : (
                cells.map((content, at) => (
                  <td key={at} className={style.value}>
                    {content}
                  </td>
                ))
              )}
            </tr>
          ))}
        </tbody>
      </Table>
    </>
  );
}

interface Shown {
  header: string[];
  rows: { line: number; cells: ReactNode[]; fault: string | null }[];
}

function ofCsv(records: Plan["sample"]["records"], columns: Columns): Shown {
  const { sourceUpdatedAt, attributes } = columns;
  const time = sourceUpdatedAt === null ? [] : ["last changed"];
  const toRow = rowOf(columns);
  return {
    header: ["ref", ...attributes.map(({ key }) => key), ...time],
    rows: records.map((record) => {
      const { line, cells } = record;
      const { ref, fault } = toRow(record);
      const values = attributes.map(({ column, type }) => valueOf(cells[column] ?? "", type));
      const changed = sourceUpdatedAt === null ? [] : [valueOf(cells[sourceUpdatedAt] ?? "", "DATE")];
      return { line, cells: [<code>{ref}</code>, ...values, ...changed], fault: fault?.message ?? null };
    }),
  };
}

function valueOf(text: string, type: AttributeType): ReactNode {
  const value = read(text);
  if (value === null || (value === "" && type !== "STRING")) return <span className={cell.soft}>no value</span>;
  if (value === "") return <span className={cell.soft}>empty text</span>;
  if (!fits(type, text)) {
    return (
      <span className={style.misfit} title={`Not a valid ${type} value: the row will be rejected`}>
        {value}
        <span className="visually-hidden"> (not a valid {type} value)</span>
      </span>
    );
  }
  return value;
}

function ofLines(lines: Plan["sample"]["lines"], isJson: boolean): Shown {
  const keys = isJson ? [...new Set(lines.flatMap(({ text }) => Object.keys(attributesOf(text))))] : [];
  return {
    header: ["ref", ...keys],
    rows: lines.map((line) => {
      const row = isJson ? rowOfJson(line) : rowOfLine(line);
      const attributes = attributesOf(line.text);
      const cells = keys.map((key) => jsonValue(attributes[key]));
      return { line: line.line, cells: [<code>{row?.ref}</code>, ...cells], fault: row?.fault?.message ?? null };
    }),
  };
}

function jsonValue(value: unknown): ReactNode {
  if (value === undefined) return <span className={cell.soft}>unchanged</span>;
  if (value === null) return <span className={cell.soft}>no value</span>;
  return typeof value === "string" ? value : JSON.stringify(value);
}
