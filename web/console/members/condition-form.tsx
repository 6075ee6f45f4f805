import { type FormEvent, useState } from "react";

import type { AttributeType } from "../gql/graphql";
import { Button } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { type AttributeKey, type Condition, needsValue, type Operator, operatorLabel, operatorsOf } from "./condition";
import style from "./condition-form.module.css";

interface Properties {
  attributes: AttributeKey[];
  onAdd: (condition: Condition) => void;
}

/** A form for a condition on an attribute. Operators and input depend on the type of the attribute. */
export function ConditionForm({ attributes, onAdd }: Properties) {
  const [key, setKey] = useState(attributes[0]!.key);
  const { type } = attributes.find((attribute) => attribute.key === key) ?? attributes[0]!;
  const operators = operatorsOf(type);
  const [preferredOperator, setOperator] = useState<Operator>("eq");
  const operator = operators.includes(preferredOperator) ? preferredOperator : operators[0]!;
  const [text, setText] = useState("");
  const [error, setError] = useState<string>();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!needsValue(operator)) return onAdd({ key, operator });
    const value = parseValue(type, text);
    if (value === undefined) setError(EXPECTED[type] ?? "Enter a value.");
    else onAdd({ key, operator, value });
  };
  const change = (text: string) => {
    setText(text);
    setError(undefined);
  };

  return (
    <form className={style.form} onSubmit={submit} noValidate>
      <Select
        label="Attribute"
        options={attributes.map(({ key }) => ({ key, label: key }))}
        value={key}
        onChange={(key) => {
          setKey(key);
          change("");
        }}
      />
      <Select
        label="Condition"
        options={operators.map((operator) => ({ key: operator, label: operatorLabel(operator, type) }))}
        value={operator}
        onChange={setOperator}
      />
      {needsValue(operator) &&
        (type === "BOOLEAN" ? (
          <Select
            label="Value"
            options={[
              { key: "true", label: "true" },
              { key: "false", label: "false" },
            ]}
            value={text === "false" ? "false" : "true"}
            onChange={change}
          />
        ) : (
          <TextField
            label="Value"
            inputType={type === "DATE" ? "date" : type === "NUMBER" ? "number" : "text"}
            hint={type === "DATE" ? "Compared as midnight UTC of this day." : undefined}
            value={text}
            onChange={change}
            error={error}
          />
        ))}
      <Button type="submit" variant="primary">
        Add filter
      </Button>
    </form>
  );
}

const EXPECTED: Partial<Record<AttributeType, string>> = {
  NUMBER: "Enter a number.",
  DATE: "Enter a date.",
};

/** Returns undefined if there is no valid value. Strings are not trimmed, and the empty string is a value. */
function parseValue(type: AttributeType, text: string) {
  if (type === "BOOLEAN") return text !== "false";
  if (type === "NUMBER") return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
  if (type === "DATE") return text || undefined;
  return text;
}
