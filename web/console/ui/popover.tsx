import type { ReactNode } from "react";
import { Dialog, DialogTrigger, Popover as AriaPopover } from "react-aria-components";

import { Button } from "./button";
import type { IconName } from "./icon";
import style from "./popover.module.css";

interface Properties {
  /** The label of the button and of the dialog. */
  label: string;
  icon: IconName;
  children: (close: () => void) => ReactNode;
}

/** A button that opens a dialog next to it. Escape or a press outside closes it. */
export function Popover({ label, icon, children }: Properties) {
  return (
    <DialogTrigger>
      <Button icon={icon}>{label}</Button>
      <AriaPopover
        className={style.popover!}
        placement="bottom start"
        offset={4}
        // Renders into a landmark, because React Aria adds a dismiss button next to the dialog.
        UNSTABLE_portalContainer={document.getElementById("main") ?? document.body}
      >
        <Dialog aria-label={label} className={style.dialog!}>
          {({ close }) => children(close)}
        </Dialog>
      </AriaPopover>
    </DialogTrigger>
  );
}
