import { TYPES } from "../attributes/schema";
import { Checkbox, Select } from "../ui/field";
import { Card } from "../ui/page";
import style from "./import.module.css";
import type { NewKey } from "./plan";

interface Properties {
  keys: NewKey[];
  /** Whether new attributes may be declared. */
  admin: boolean;
  onChange: (keys: NewKey[]) => void;
}

/** Keys of the first lines that are not declared: rows that have them are refused. */
export function JsonKeys({ keys, admin, onChange }: Properties) {
  const change = (key: string, change: Partial<NewKey>) =>
    onChange(keys.map((each) => (each.key === key ? { ...each, ...change } : each)));
  return (
    <Card>
      <div className={style.section}>
        <h2>Keys that match no attribute</h2>
        <p className={style.note}>
          Rows with these keys are rejected.{" "}
          {admin ? "Choose the keys to add as attributes." : "An ADMIN token can add attributes."}
        </p>
        <ul className={style.keys}>
          {keys.map(({ key, type, isWanted }) => (
            <li key={key}>
              <Checkbox isDisabled={!admin} isSelected={isWanted} onChange={(isWanted) => change(key, { isWanted })}>
                <code>{key}</code>
              </Checkbox>
              <Select
                label={`Type of ${key}`}
                labelHidden
                isDisabled={!admin || !isWanted}
                options={TYPES}
                value={type}
                onChange={(type) => change(key, { type })}
              />
            </li>
          ))}
        </ul>
      </div>
    </Card>
  );
}
