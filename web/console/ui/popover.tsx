import type { ReactNode } from "react";
import { Dialog, DialogTrigger, Popover as AriaPopover } from "react-aria-components";

import { Button } from "./button";
import type { IconName } from "./icon";
import style from "./popover.module.css";

interface Properties {
  /** What stands on the button, and names what comes up. */
  label: string;
  icon: IconName;
  children: (close: () => void) => ReactNode;
}

/** A button and what comes up beside it, until Escape or a press elsewhere. */
export function Popover({ label, icon, children }: Properties) {
  return (
    <DialogTrigger>
      <Button icon={icon}>{label}</Button>
      <AriaPopover
        className={style.popover!}
        placement="bottom start"
        offset={4}
        // Within a landmark, also for what stands beside the dialog: a button that dismisses it.
        UNSTABLE_portalContainer={document.getElementById("main") ?? document.body}
      >
        <Dialog aria-label={label} className={style.dialog!}>
          {({ close }) => children(close)}
        </Dialog>
      </AriaPopover>
    </DialogTrigger>
  );
}
