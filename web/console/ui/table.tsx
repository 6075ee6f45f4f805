import type { ReactNode } from "react";

import { counted, formatDate, formatDateTime, formatExactly } from "../format";
import { Button } from "./button";
import style from "./table.module.css";

/** A table that scrolls horizontally if it is wider than its container. */
export function Table({ label, children }: { label: string; children: ReactNode }) {
  return (
    // Focusable, so that it can be scrolled with the arrow keys.
    <div className={style.scroll} role="region" aria-label={label} tabIndex={0}>
      <table className={style.table} aria-label={label}>
        {children}
      </table>
    </div>
  );
}

/** Classes for cells: `number` aligns right, `tight` never wraps, `wide` is hidden on a phone. */
export const cell = {
  number: style.number!,
  tight: style.tight!,
  soft: style.soft!,
  text: style.text!,
  actions: style.actions!,
  wide: style.wide!,
};

/** A time in the reader's locale, or only its date if `short`. The tooltip has the full time. */
export function Time({ value, short = false }: { value: string; short?: boolean }) {
  return (
    <time dateTime={value} title={formatExactly(value)} className={style.tight}>
      {short ? formatDate(value) : formatDateTime(value)}
    </time>
  );
}

interface PagerProperties {
  /** The number of items on the page. */
  shown: number;
  one: string;
  many?: string;
  /** Omitted if there is no page in this direction. */
  onFirst?: (() => void) | undefined;
  onPrevious?: (() => void) | undefined;
  onNext?: (() => void) | undefined;
  children?: ReactNode;
}

export function Pager({ shown, one, many, onFirst, onPrevious, onNext, children }: PagerProperties) {
  return (
    <nav className={style.pager} aria-label="Pages">
      <span className={style.shown}>{children ?? counted(shown, one, many)}</span>
      <div className={style.steps}>
        <Button icon="first" isDisabled={!onFirst} {...(onFirst && { onPress: onFirst })}>
          First
        </Button>
        <Button icon="chevron-left" isDisabled={!onPrevious} {...(onPrevious && { onPress: onPrevious })}>
          Previous
        </Button>
        <Button icon="chevron-right" isDisabled={!onNext} {...(onNext && { onPress: onNext })}>
          Next
        </Button>
      </div>
    </nav>
  );
}
