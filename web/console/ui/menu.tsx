import { Menu as AriaMenu, MenuItem, MenuTrigger, Popover } from "react-aria-components";

import { IconButton } from "./button";
import { Icon, type IconName } from "./icon";
import style from "./menu.module.css";

export interface Action {
  label: string;
  icon: IconName;
  danger?: boolean;
  onAction: () => void;
}

/** A menu of actions, opened by a button with three dots. */
export function Menu({ label, actions }: { label: string; actions: Action[] }) {
  return (
    <MenuTrigger>
      <IconButton icon="more" label={label} />
      <Popover className={style.popover!} placement="bottom end" offset={4}>
        <AriaMenu className={style.menu!}>
          {actions.map(({ label, icon, danger, onAction }) => (
            <MenuItem key={label} onAction={onAction} textValue={label} className={style.item!} data-danger={danger}>
              <Icon name={icon} size={16} />
              {label}
            </MenuItem>
          ))}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  );
}
