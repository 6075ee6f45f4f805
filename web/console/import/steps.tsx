import { useEffect, useRef } from "react";

import { Icon } from "../ui/icon";
import style from "./import.module.css";

const STEPS = [
  ["file", "File"],
  ["columns", "Content"],
  ["check", "Check"],
  ["import", "Import"],
] as const;

export type Step = (typeof STEPS)[number][0];

/** Where one is. The focus follows, so that a new step is read from its start. */
export function Steps({ current }: { current: Step }) {
  const list = useRef<HTMLOListElement>(null);
  const last = useRef(current);
  const place = STEPS.findIndex(([step]) => step === current);
  useEffect(() => {
    if (last.current === current) return;
    last.current = current;
    list.current?.focus({ preventScroll: true });
    window.scrollTo({ top: 0 });
  }, [current]);
  return (
    <ol ref={list} tabIndex={-1} className={style.steps} aria-label={`Step ${place + 1} of ${STEPS.length}`}>
      {STEPS.map(([step, label], at) => (
        <li key={step} aria-current={step === current ? "step" : undefined} data-done={at < place || undefined}>
          <span className={style.number} aria-hidden="true">
            {at < place ? <Icon name="check" size={14} /> : at + 1}
          </span>
          {label}
        </li>
      ))}
    </ol>
  );
}
