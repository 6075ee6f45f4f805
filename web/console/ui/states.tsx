// Empty, loading and error states.

import type { ReactNode } from "react";

import { ApiError, toSentence } from "../api/error";
import { Button } from "./button";
import { CopyTextButton } from "./copy";
import { Icon, type IconName } from "./icon";
import style from "./states.module.css";

export function Empty({
  icon,
  title,
  children,
  actions,
}: {
  icon: IconName;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className={style.empty}>
      <span className={style.iconCircle}>
        <Icon name={icon} size={22} />
      </span>
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {actions && <div className={style.actions}>{actions}</div>}
    </div>
  );
}

/** A placeholder of grey lines for content that is loading. */
export function Loading({ lines = 5, label = "Loading" }: { lines?: number; label?: string }) {
  return (
    <div className={style.loading} role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} className={style.line} />
      ))}
    </div>
  );
}

/** A placeholder of one grey line, for a number within a text. */
export function Pending({ label }: { label: string }) {
  return (
    <span className={style.pending}>
      <span className="visually-hidden">{label}</span>
    </span>
  );
}

/** An error with its message, code and trace id, which an operator needs to find it in the log. */
export function Failure({ error, onRetry, title }: { error: unknown; onRetry?: (() => void) | undefined; title?: string }) {
  const { code, traceId } = error instanceof ApiError ? error : { code: "UNEXPECTED", traceId: undefined };
  return (
    <div className={style.failure} role="alert">
      <Icon name="alert" size={20} />
      <div className={style.text}>
        {title && <h2>{title}</h2>}
        <p>{toSentence(error)}</p>
        <dl className={style.facts}>
          <div>
            <dt>Code</dt>
            <dd>
              <code>{code}</code>
            </dd>
          </div>
          {traceId && (
            <div>
              <dt>Trace id</dt>
              <dd>
                <code>{traceId}</code>
              </dd>
            </div>
          )}
        </dl>
        <div className={style.actions}>
          {onRetry && (
            <Button icon="refresh" onPress={onRetry}>
              Retry
            </Button>
          )}
          {traceId && <CopyTextButton text={traceId} what="trace id" />}
        </div>
      </div>
    </div>
  );
}
