import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";

import { IconButton } from "./button";
import style from "./dialog.module.css";

interface Properties {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
  /** The buttons; the last one is the primary action. */
  footer?: ReactNode;
  /** Announces the dialog as an alert, for actions that can't be undone. */
  alert?: boolean;
}

/** A modal dialog. Escape, the close button and, unless `alert` is set, a press outside call `onClose`. */
export function Dialog({ title, isOpen, onClose, children, footer, alert = false }: Properties) {
  return (
    <ModalOverlay
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      isDismissable={!alert}
      className={style.overlay!}
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
