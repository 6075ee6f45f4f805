import { useEffect, useRef, useState } from "react";

import { Button } from "../ui/button";
import { Checkbox, Select, TextField } from "../ui/field";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/popover";
import { type AttributeKey, describe } from "./condition";
import { ConditionForm } from "./condition-form";
import { ORDERS, type Place, START } from "./place";
import style from "./toolbar.module.css";

interface Properties {
  attributes: AttributeKey[];
  shownColumns: string[];
  place: Place;
  go: (change: Partial<Place>, options?: { replace?: boolean }) => void;
}

/** Which members, in which order, with which attributes. */
export function Toolbar({ attributes, shownColumns, place, go }: Properties) {
  const { conditions } = place;
  const set = (conditions: Place["conditions"]) => go({ ...START, conditions });
  return (
    <div className={style.bars}>
      <search className={style.bar} aria-label="Members">
        <RefField value={place.ref} onChange={(ref) => go({ ...START, ref }, { replace: true })} />
        {attributes.length > 0 && (
          <Popover label="Filter" icon="filter">
            {(close) => (
              <ConditionForm
                attributes={attributes}
                onAdd={(condition) => {
                  set([...conditions, condition]);
                  close();
                }}
              />
            )}
          </Popover>
        )}
        {attributes.length > 0 && (
          <Popover label="Columns" icon="columns">
            {() => <Columns attributes={attributes} shown={shownColumns} onChange={(columns) => go({ columns })} />}
          </Popover>
        )}
        <div className={style.order}>
          <Select
            label="Order"
            labelHidden
            options={ORDERS}
            value={place.order}
            onChange={(order) => go({ ...START, order })}
          />
        </div>
      </search>
      {conditions.length > 0 && (
        <ul className={style.conditions} aria-label="Filters">
          {conditions.map((condition, at) => {
            const text = describe(condition, attributes.find(({ key }) => key === condition.key)?.type);
            return (
              <li key={`${at} ${text}`}>
                <button type="button" onClick={() => set(conditions.toSpliced(at, 1))}>
                  <span className="visually-hidden">Remove the filter</span>
                  <span>{text}</span>
                  <Icon name="close" size={14} />
                </button>
              </li>
            );
          })}
          {conditions.length > 1 && (
            <li>
              <Button variant="quiet" onPress={() => set([])}>
                Clear all
              </Button>
            </li>
          )}
        </ul>
      )}
    </div>
  );
}

/** Whoever types is done after this time. */
const PAUSE = 350;

function RefField({ value, onChange }: { value: string; onChange: (ref: string) => void }) {
  const [draft, setDraft] = useState(value);
  const given = useRef(value);
  // Where the address has another one by itself, by the back button, that is what stands here.
  if (given.current !== value) {
    given.current = value;
    if (draft !== value) setDraft(value);
  }
  const change = useRef(onChange);
  useEffect(() => {
    change.current = onChange;
  });
  useEffect(() => {
    if (draft === given.current) return;
    const timer = setTimeout(() => {
      given.current = draft;
      change.current(draft);
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [draft]);
  return (
    <div className={style.ref}>
      <TextField
        label="Ref begins with"
        labelHidden
        placeholder="Ref begins with…"
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
