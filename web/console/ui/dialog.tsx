import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";

import { IconButton } from "./button";
import style from "./dialog.module.css";

interface Properties {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
  /** The buttons below; the last one is what the dialog is for. */
  footer?: ReactNode;
  /** What it asks can't be undone: read out as an alert. */
  alert?: boolean;
}

/** Escape, a press beside it and its cross call `onClose`. */
export function Dialog({ title, isOpen, onClose, children, footer, alert = false }: Properties) {
  return (
    <ModalOverlay
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      isDismissable={!alert}
      className={style.veil!}
    >
      <Modal className={style.modal!}>
        <AriaDialog role={alert ? "alertdialog" : "dialog"} className={style.dialog!}>
          <header className={style.header}>
            <Heading slot="title" level={2} className={style.title!}>
              {title}
            </Heading>
            <IconButton icon="close" label="Close" onPress={onClose} />
          </header>
          <div className={style.body}>{children}</div>
          {footer && <footer className={style.footer}>{footer}</footer>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
