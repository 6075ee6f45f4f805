import { type FormEvent, useState } from "react";

import type { AttributeType } from "../gql/graphql";
import { Button } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { type AttributeKey, type Condition, needsValue, type Operator, operatorsOf, word } from "./condition";
import style from "./condition-form.module.css";

interface Properties {
  attributes: AttributeKey[];
  onAdd: (condition: Condition) => void;
}

/** A condition on an attribute: the operators and the field for the value are those of its type. */
export function ConditionForm({ attributes, onAdd }: Properties) {
  const [key, setKey] = useState(attributes[0]!.key);
  const { type } = attributes.find((attribute) => attribute.key === key) ?? attributes[0]!;
  const operators = operatorsOf(type);
  const [wished, setOperator] = useState<Operator>("eq");
  const operator = operators.includes(wished) ? wished : operators[0]!;
  const [text, setText] = useState("");
  const [error, setError] = useState<string>();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!needsValue(operator)) return onAdd({ key, operator });
    const value = read(type, text);
    if (value === undefined) setError(EXPECTED[type] ?? "A value is needed.");
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
        options={operators.map((operator) => ({ key: operator, label: word(operator, type) }))}
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
            hint={type === "DATE" ? "Its midnight in UTC." : undefined}
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
  NUMBER: "A number is needed.",
  DATE: "A day is needed.",
};

/** Texts are taken as they are typed; the empty one is a value. */
function read(type: AttributeType, text: string) {
  if (type === "BOOLEAN") return text !== "false";
  if (type === "NUMBER") return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
  if (type === "DATE") return text || undefined;
  return text;
}
