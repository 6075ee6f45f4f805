import { useState } from "react";

import { TYPES, typeLabel, type Definition } from "../attributes/schema";
import { counted, formatNumber } from "../format";
import { Button } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { Card } from "../ui/page";
import { cell, Table } from "../ui/table";
import style from "./import.module.css";
import { newAttribute, newFault, type NewAttributes } from "./new-attributes";
import {
  attributeOf,
  columnKey,
  isNested,
  keyOf,
  REF,
  SOURCE_UPDATED_AT,
  withColumn,
  type Choices,
  type Column,
  type Inspection,
} from "./parameters";

const NONE = "none";
const NEW = "new";

/** Number of columns that are shown at first, and added by a button: a select for each takes time to render. */
const SHOWN_COLUMNS = 100;

interface Properties {
  inspection: Inspection;
  choices: Choices;
  schema: Definition[];
  added: NewAttributes;
  /** Whether the token may add attributes. */
  admin: boolean;
  onChange: (choices: Choices) => void;
  onAdd: (added: NewAttributes) => void;
}

/** The columns of the file, and what each is imported as. */
export function ColumnsTable(properties: Properties) {
  const { inspection, choices, added } = properties;
  const { columns, format } = inspection;
  const [shown, setShown] = useState(SHOWN_COLUMNS);
  const isDecided = ({ name, key }: Column) => key !== null || added.has(name) || choices.omitted.includes(name);
  const unknown = columns.filter((column) => !isDecided(column) && whyUnusable(column, columns) === null);
  return (
    <Card flush>
      <div className={style.section} data-padded>
        <h2>{format === "csv" ? "Columns" : "Fields"}</h2>
        <p className={style.note}>
          One is the ref: your own key for a member, stored exactly as it is in the file. If one is the time of the last change at
          the source, rows that are older than the stored member change nothing.
        </p>
      </div>
      <Table label={format === "csv" ? "Columns" : "Fields"}>
        <thead>
          <tr>
            <th scope="col">{format === "csv" ? "Column" : "Field"}</th>
            <th scope="col" className={cell.wide}>
              Examples
            </th>
            <th scope="col">Import as</th>
          </tr>
        </thead>
        <tbody>
          {columns.slice(0, shown).map((column, at) => (
            <tr key={at}>
              <td className={style.column}>
                <strong>{column.name || `Column ${at + 1}`}</strong>
                {column.type && <span className={style.type}>{typeLabel(column.type)}</span>}
              </td>
              <td className={`${cell.wide} ${style.samples}`}>
                {[...new Set(column.samples)].map((sample) => (
                  <code key={sample}>{sample}</code>
                ))}
              </td>
              <td className={style.becomes}>
                <Becomes {...properties} column={column} />
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
      {columns.length > shown && (
        <div className={style.more}>
          <span className={style.note}>
            The first {formatNumber(shown)} of {formatNumber(columns.length)} are shown.
          </span>
          <Button onPress={() => setShown(shown + SHOWN_COLUMNS)}>Show more</Button>
        </div>
      )}
      {unknown.length > 0 && <UnknownColumns {...properties} unknown={unknown} />}
    </Card>
  );
}

/** The columns that match no attribute, which can be added as attributes together. */
function UnknownColumns({ inspection, added, admin, onAdd, unknown }: Properties & { unknown: Column[] }) {
  const { format } = inspection;
  const isRejected = unknown.some((column) => isNested(format, column));
  const columns =
    format === "csv"
      ? counted(unknown.length, "column matches", "columns match")
      : counted(unknown.length, "field matches", "fields match");
  return (
    <div className={style.unknown}>
      <span>
        {columns} no attribute
        {isRejected ? ": rows with attributes that are not declared are rejected" : " and will not be imported"}.
        {!admin && " An ADMIN token can add attributes."}
      </span>
      {admin && (
        <Button
          icon="plus"
          onPress={() => onAdd(new Map([...added, ...unknown.map((column) => [column.name, newAttribute(column)] as const)]))}
        >
          Add as attributes
        </Button>
      )}
    </div>
  );
}

/** What a column is imported as. */
function Becomes({ column, ...properties }: Properties & { column: Column }) {
  const { inspection, choices, schema, added, admin, onChange, onAdd } = properties;
  const { name } = column;
  const definition = added.get(name);
  const key = keyOf(column, choices);
  const reason = whyUnusable(column, inspection.columns);
  if (reason !== null) return <span className={cell.soft}>Not imported: {reason}</span>;
  const isFixed = isNested(inspection.format, column);
  if (isFixed && key !== null) return <span>{attributeOf(key)}</span>;
  const without = (column: string) => new Map([...added].filter(([name]) => name !== column));
  const choose = (chosen: string) => {
    if (chosen === NEW) return onAdd(new Map([...added, [name, newAttribute(column)]]));
    onAdd(without(name));
    if (!isFixed) onChange(withColumn(choices, name, chosen === NONE ? null : chosen));
  };
  const attributes = isFixed ? [] : schema.map(({ key }) => ({ key: columnKey(key), label: key }));
  const fields = isFixed
    ? []
    : [
        { key: REF, label: "Ref" },
        { key: SOURCE_UPDATED_AT, label: "Last changed at source" },
      ];
  const options = [
    { key: NONE, label: isFixed ? "Not an attribute" : "Don't import" },
    ...fields,
    ...attributes,
    ...(admin ? [{ key: NEW, label: "New attribute…" }] : []),
  ];
  return (
    <div className={style.target}>
      <Select
        label={`Import ${name} as`}
        labelHidden
        options={options}
        value={definition ? NEW : (key ?? NONE)}
        onChange={choose}
      />
      {definition && (
        <NewAttribute
          name={name}
          definition={definition}
          isFixed={isFixed}
          fault={newFault(added, name, schema)}
          onChange={(changed) => onAdd(new Map([...added, [name, changed]]))}
        />
      )}
    </div>
  );
}

/** Returns why a column that is not imported can't be: columns are mapped by their names. */
function whyUnusable({ name, key }: Column, columns: Column[]): string | null {
  if (key !== null) return null;
  if (name === "") return "it has no name";
  return columns.filter((other) => other.name === name).length > 1 ? "another column has the same name" : null;
}

interface NewProperties {
  name: string;
  definition: Definition;
  /** Whether the key is that of the field. */
  isFixed: boolean;
  fault: string | undefined;
  onChange: (definition: Definition) => void;
}

function NewAttribute({ name, definition, isFixed, fault, onChange }: NewProperties) {
  return (
    <>
      <div className={style.new}>
        <TextField
          label={`Key for ${name}`}
          labelHidden
          mono
          value={definition.key}
          onChange={(key) => onChange({ ...definition, key })}
          isDisabled={isFixed}
          isInvalid={fault !== undefined}
        />
        <Select
          label={`Type for ${name}`}
          labelHidden
          options={TYPES}
          value={definition.type}
          onChange={(type) => onChange({ ...definition, type })}
        />
      </div>
      {fault && (
        <p className={style.fault} role="alert">
          {fault}
        </p>
      )}
    </>
  );
}
