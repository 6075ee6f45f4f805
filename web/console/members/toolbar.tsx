import { useEffect, useRef, useState } from "react";

import { Button } from "../ui/button";
import { Checkbox, Select, TextField } from "../ui/field";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/popover";
import { type AttributeKey, describeCondition } from "./condition";
import { ConditionForm } from "./condition-form";
import { ORDERS, type ListState, FIRST_PAGE } from "./list-state";
import style from "./toolbar.module.css";

interface Properties {
  attributes: AttributeKey[];
  shownColumns: string[];
  state: ListState;
  update: (change: Partial<ListState>, options?: { replace?: boolean }) => void;
}

/** The filters, order and columns of the member list. */
export function Toolbar({ attributes, shownColumns, state, update }: Properties) {
  const { conditions } = state;
  const setConditions = (conditions: ListState["conditions"]) => update({ ...FIRST_PAGE, conditions });
  return (
    <div className={style.bars}>
      <search className={style.bar} aria-label="Members">
        <RefField value={state.ref} onChange={(ref) => update({ ...FIRST_PAGE, ref }, { replace: true })} />
        {attributes.length > 0 && (
          <Popover label="Filter" icon="filter">
            {(close) => (
              <ConditionForm
                attributes={attributes}
                onAdd={(condition) => {
                  setConditions([...conditions, condition]);
                  close();
                }}
              />
            )}
          </Popover>
        )}
        {attributes.length > 0 && (
          <Popover label="Columns" icon="columns">
            {() => <Columns attributes={attributes} shown={shownColumns} onChange={(columns) => update({ columns })} />}
          </Popover>
        )}
        <div className={style.order}>
          <Select
            label="Order"
            labelHidden
            options={ORDERS}
            value={state.order}
            onChange={(order) => update({ ...FIRST_PAGE, order })}
          />
        </div>
      </search>
      {conditions.length > 0 && (
        <ul className={style.conditions} aria-label="Filters">
          {conditions.map((condition, index) => {
            const text = describeCondition(condition, attributes.find(({ key }) => key === condition.key)?.type);
            return (
              <li key={`${index} ${text}`}>
                <button type="button" onClick={() => setConditions(conditions.toSpliced(index, 1))}>
                  <span className="visually-hidden">Remove filter</span>
                  <span>{text}</span>
                  <Icon name="close" size={14} />
                </button>
              </li>
            );
          })}
          {conditions.length > 1 && (
            <li>
              <Button variant="quiet" onPress={() => setConditions([])}>
                Clear all
              </Button>
            </li>
          )}
        </ul>
      )}
    </div>
  );
}

/** Time after the last keystroke at which the list is filtered. */
const DEBOUNCE_MS = 350;

function RefField({ value, onChange }: { value: string; onChange: (ref: string) => void }) {
  const [draft, setDraft] = useState(value);
  const applied = useRef(value);
  // The address changed outside this field, for example by the back button.
  if (applied.current !== value) {
    applied.current = value;
    if (draft !== value) setDraft(value);
  }
  const latestOnChange = useRef(onChange);
  useEffect(() => {
    latestOnChange.current = onChange;
  });
  useEffect(() => {
    if (draft === applied.current) return;
    const timer = setTimeout(() => {
      applied.current = draft;
      latestOnChange.current(draft);
    }, DEBOUNCE_MS);
    return () => clearTimeout(timer);
  }, [draft]);
  return (
    <div className={style.ref}>
      <TextField
        label="Ref starts with"
        labelHidden
        placeholder="Ref starts with…"
        inputType="search"
        value={draft}
        onChange={setDraft}
      />
    </div>
  );
}

interface ColumnsProperties {
  attributes: AttributeKey[];
  shown: string[];
  onChange: (columns: string[]) => void;
}

function Columns({ attributes, shown, onChange }: ColumnsProperties) {
  return (
    <div className={style.columns} role="group" aria-label="Attributes to show">
      <h3>Attributes to show</h3>
      {attributes.map(({ key }) => (
        <Checkbox
          key={key}
          isSelected={shown.includes(key)}
          onChange={(on) => onChange(on ? [...shown, key] : shown.filter((other) => other !== key))}
        >
          <span className={style.key}>{key}</span>
        </Checkbox>
      ))}
    </div>
  );
}
