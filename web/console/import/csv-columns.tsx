import { TYPES, type Definition } from "../attributes/schema";
import { counted } from "../format";
import { Button } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { Badge, Card } from "../ui/page";
import { cell, Table } from "../ui/table";
import style from "./import.module.css";
import { columnFault, newAttribute, type Plan, type Target } from "./plan";

interface Properties {
  plan: Plan;
  schema: Definition[];
  /** Whether new attributes may be declared. */
  admin: boolean;
  onChange: (plan: Plan) => void;
}

const NONE = "none";
const NEW = "new";

export function CsvColumns({ plan, schema, admin, onChange }: Properties) {
  const { columns, ref, sourceUpdatedAt } = plan;
  const names = columns.map(({ name }, column) => ({ key: String(column), label: name || `Column ${column + 1}` }));
  const place = (key: string) => (key === NONE ? null : Number(key));
  const isKey = (column: number) => column === ref || column === sourceUpdatedAt;
  const unknown = columns.flatMap(({ target, isRepeated }, column) =>
    target.to === "nothing" && !isKey(column) && !isRepeated ? [column] : [],
  );
  const set = (targets: Map<number, Target>) =>
    onChange({
      ...plan,
      columns: columns.map((column, at) => ({ ...column, target: targets.get(at) ?? column.target })),
    });
  return (
    <Card flush>
      <div className={style.section} data-padded>
        <h2>Which column identifies the member?</h2>
        <div className={style.fields}>
          <Select
            label="Ref"
            options={ref === null ? [{ key: NONE, label: "Choose a column" }, ...names] : names}
            value={ref === null ? NONE : String(ref)}
            onChange={(key) => onChange({ ...plan, ref: place(key) })}
          />
          <Select
            label="Last changed at source"
            options={[{ key: NONE, label: "No column" }, ...names]}
            value={sourceUpdatedAt === null ? NONE : String(sourceUpdatedAt)}
            onChange={(key) => onChange({ ...plan, sourceUpdatedAt: place(key) })}
          />
        </div>
        <p className={style.note}>
          The ref is your own key for a member, stored exactly as it is in the file. If you choose a column with the time of the
          last change, rows that are older than the stored member change nothing.
        </p>
      </div>
      <Table label="Columns">
        <thead>
          <tr>
            <th scope="col">Column</th>
            <th scope="col" className={cell.wide}>
              Examples
            </th>
            <th scope="col">Import as</th>
          </tr>
        </thead>
        <tbody>
          {columns.map((column, at) => (
            <tr key={at}>
              <td className={style.column}>
                <strong>{column.name || `Column ${at + 1}`}</strong>
                {at === ref && <Badge tone="accent">Ref</Badge>}
                {at === sourceUpdatedAt && <Badge tone="accent">Last changed</Badge>}
                {column.isRepeated && <Badge tone="warn">Duplicate header</Badge>}
              </td>
              <td className={`${cell.wide} ${style.samples}`}>
                {column.examples.map((example) => (
                  <code key={example}>{example}</code>
                ))}
              </td>
              <td className={style.becomes}>
                <Becomes
                  name={column.name || `Column ${at + 1}`}
                  none={isKey(at) ? "No attribute" : "Don't import"}
                  target={column.target}
                  schema={schema}
                  admin={admin}
                  fault={columnFault(plan, at, schema)}
                  onChange={(target) => set(new Map([[at, target === NEW ? newAttribute(plan, at) : target]]))}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
      {unknown.length > 0 && (
        <div className={style.unknown}>
          <span>
            {counted(unknown.length, "column matches", "columns match")} no attribute
            {admin ? "." : " and will not be imported. An ADMIN token can add attributes."}
          </span>
          {admin && (
            <Button icon="plus" onPress={() => set(new Map(unknown.map((at) => [at, newAttribute(plan, at)])))}>
              Add as attributes
            </Button>
          )}
        </div>
      )}
    </Card>
  );
}

interface BecomesProperties {
  name: string;
  /** What stands for no attribute. */
  none: string;
  target: Target;
  schema: Definition[];
  admin: boolean;
  fault: string | undefined;
  onChange: (target: Target | typeof NEW) => void;
}

function Becomes({ name, none, target, schema, admin, fault, onChange }: BecomesProperties) {
  const attributes = schema.map(({ key }) => ({ key: `=${key}`, label: key }));
  const more = admin ? [{ key: NEW, label: "New attribute…" }] : [];
  const value = target.to === "nothing" ? NONE : target.to === "new" ? NEW : `=${target.key}`;
  return (
    <div className={style.target}>
      <Select
        label={`Import ${name} as`}
        labelHidden
        options={[{ key: NONE, label: none }, ...attributes, ...more]}
        value={value}
        onChange={(key) => {
          if (key === NEW) onChange(NEW);
          else onChange(key === NONE ? { to: "nothing" } : { to: "attribute", key: key.slice(1) });
        }}
      />
      {target.to === "new" && (
        <div className={style.new}>
          <TextField
            label={`Key for ${name}`}
            labelHidden
            mono
            value={target.key}
            onChange={(key) => onChange({ ...target, key })}
            isInvalid={fault !== undefined}
          />
          <Select
            label={`Type for ${name}`}
            labelHidden
            options={TYPES}
            value={target.type}
            onChange={(type) => onChange({ ...target, type })}
          />
        </div>
      )}
      {fault && (
        <p className={style.fault} role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}
