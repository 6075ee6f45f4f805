import type { ReactNode } from "react";
import { Button as AriaButton, type ButtonProps, ProgressBar, Tooltip, TooltipTrigger } from "react-aria-components";

import style from "./button.module.css";
import { Icon, type IconName } from "./icon";

export type Variant = "primary" | "plain" | "quiet" | "danger";

interface Properties extends Omit<ButtonProps, "children" | "className"> {
  variant?: Variant;
  icon?: IconName;
  children: ReactNode;
}

/** A button. While `isPending` it keeps its size and focus, and ignores presses. */
export function Button({ variant = "plain", icon, children, ...rest }: Properties) {
  return (
    <AriaButton {...rest} className={`${style.button} ${style[variant]}`}>
      {rest.isPending ? (
        // Screen readers announce this label after the button's name.
        <ProgressBar isIndeterminate aria-label="in progress" className={style.spinner!} />
      ) : (
        icon && <Icon name={icon} size={16} />
      )}
      <span className={style.label}>{children}</span>
    </AriaButton>
  );
}

interface IconProperties extends Omit<ButtonProps, "children" | "className"> {
  icon: IconName;
  label: string;
  variant?: Variant;
}

/** A button with an icon. The label is its accessible name and its tooltip. */
export function IconButton({ icon, label, variant = "quiet", ...rest }: IconProperties) {
  return (
    <TooltipTrigger delay={500}>
      <AriaButton {...rest} aria-label={label} className={`${style.button} ${style[variant]} ${style.square}`}>
        <Icon name={icon} />
      </AriaButton>
      <Tooltip offset={6} className={style.tooltip!}>
        {label}
      </Tooltip>
    </TooltipTrigger>
  );
}

/** A link that looks like a button. */
export function ButtonLink({
  href,
  variant = "plain",
  icon,
  children,
}: {
  href: string;
  variant?: Variant;
  icon?: IconName;
  children: ReactNode;
}) {
  return (
    <a href={href} className={`${style.button} ${style[variant]}`}>
      {icon && <Icon name={icon} size={16} />}
      <span className={style.label}>{children}</span>
    </a>
  );
}
