import { type ReactNode, useEffect, useRef } from "react";

import style from "./page.module.css";

interface Properties {
  title: string;
  /** The name of what the page belongs to, for the document title. */
  within?: string | undefined;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** The frame of a page: its heading, which is focused when the page opens, its actions and its content. */
export function Page({ title, within, description, actions, children }: Properties) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  useEffect(() => {
    document.title = [title, within, "Memberbase"].filter(Boolean).join(" · ");
  }, [title, within]);
  return (
    <div className={style.page}>
      <header className={style.header}>
        <div className={style.text}>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {description && <div className={style.description}>{description}</div>}
        </div>
        {actions && <div className={style.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}

/** A bordered box; `flush` removes the padding, for tables. */
export function Card({ children, flush = false }: { children: ReactNode; flush?: boolean }) {
  return <section className={flush ? `${style.card} ${style.flush}` : style.card}>{children}</section>;
}

export type Tone = "neutral" | "accent" | "good" | "warn" | "danger";

export function Badge({ tone = "neutral", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={`${style.badge} ${style[tone]}`}>{children}</span>;
}
