import type { ReactNode } from "react";
import {
  Button,
  Checkbox as AriaCheckbox,
  type CheckboxProps,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Select as AriaSelect,
  SelectValue,
  Text,
  TextField as AriaTextField,
  type TextFieldProps,
} from "react-aria-components";

import style from "./field.module.css";
import { Icon } from "./icon";

interface Properties extends Omit<TextFieldProps, "children" | "className"> {
  label: string;
  /** Hides the label visually, where the context makes it clear. */
  labelHidden?: boolean;
  hint?: ReactNode;
  error?: string | undefined;
  placeholder?: string;
  mono?: boolean;
  inputType?: "text" | "number" | "search" | "date" | "datetime-local";
}

export function TextField({ label, labelHidden, hint, error, placeholder, mono, inputType, ...rest }: Properties) {
  return (
    <AriaTextField {...rest} isInvalid={rest.isInvalid ?? Boolean(error)} className={style.field!}>
      <Label className={labelHidden ? "visually-hidden" : style.label!}>{label}</Label>
      <Input
        type={inputType ?? "text"}
        {...(inputType === "number" && { step: "any" })}
        {...(placeholder && { placeholder })}
        className={`${style.input} ${mono ? "mono" : ""}`}
        autoComplete="off"
        spellCheck={false}
      />
      {hint && (
        <Text slot="description" className={style.hint!}>
          {hint}
        </Text>
      )}
      <FieldError className={style.error!}>{error}</FieldError>
    </AriaTextField>
  );
}

export interface Option<Key extends string> {
  key: Key;
  label: string;
}

interface SelectProperties<Key extends string> {
  label: string;
  labelHidden?: boolean;
  options: Option<Key>[];
  value: Key;
  onChange: (value: Key) => void;
  isDisabled?: boolean;
}

export function Select<Key extends string>({
  label,
  labelHidden,
  options,
  value,
  onChange,
  isDisabled,
}: SelectProperties<Key>) {
  return (
    <AriaSelect
      className={style.field!}
      value={value}
      onChange={(key) => key !== null && onChange(key as Key)}
      isDisabled={isDisabled ?? false}
    >
      <Label className={labelHidden ? "visually-hidden" : style.label!}>{label}</Label>
      <Button className={`${style.input} ${style.select}`}>
        <SelectValue className={style.selected!}>{({ selectedText }) => selectedText}</SelectValue>
        <Icon name="chevron-down" size={16} />
      </Button>
      <Popover className={style.popover!} offset={4}>
        <ListBox className={style.list!} items={options}>
          {({ key, label }) => (
            <ListBoxItem id={key} textValue={label} className={style.item!}>
              <span>{label}</span>
              {key === value && <Icon name="check" size={16} />}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

interface BoxProperties extends Omit<CheckboxProps, "children" | "className"> {
  children?: ReactNode;
}

export function Checkbox({ children, ...rest }: BoxProperties) {
  return (
    <AriaCheckbox {...rest} className={style.checkbox!}>
      {({ isSelected, isIndeterminate }) => (
        <>
          <span className={style.box} data-on={isSelected || isIndeterminate || undefined}>
            <svg width="12" height="12" viewBox="0 0 12 12" fill="none" aria-hidden="true">
              <path
                d={isIndeterminate ? "M2.5 6h7" : isSelected ? "m2.5 6.3 2.5 2.5 4.5-5.5" : ""}
                stroke="currentColor"
                strokeWidth="1.8"
                strokeLinecap="round"
                strokeLinejoin="round"
              />
            </svg>
          </span>
          {children}
        </>
      )}
    </AriaCheckbox>
  );
}
