import { useEffect, useSyncExternalStore } from "react";

import { IconButton } from "./button";
import { Icon } from "./icon";
import style from "./toast.module.css";

interface Toast {
  id: number;
  text: string;
}

const SHOWN_FOR_MS = 6_000;

let toasts: Toast[] = [];
let count = 0;
const listeners = new Set<() => void>();

function change(next: Toast[]) {
  toasts = next;
  listeners.forEach((listener) => listener());
}

/** Shows a confirmation for a few seconds without moving the focus. Errors are shown where they occur instead. */
export function toast(text: string) {
  change([...toasts.slice(-2), { id: ++count, text }]);
}

const dismiss = (id: number) => change(toasts.filter((toast) => toast.id !== id));

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Renders the toasts, once at the end of the page. They stay accessible while a dialog is open. */
export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className={style.region} role="status" aria-live="polite" data-react-aria-top-layer="true">
      {shown.map((toast) => (
        <ToastItem key={toast.id} {...toast} />
      ))}
    </div>
  );
}

function ToastItem({ id, text }: Toast) {
  useEffect(() => {
    const timer = setTimeout(dismiss, SHOWN_FOR_MS, id);
    return () => clearTimeout(timer);
  }, [id]);
  return (
    <div className={style.toast}>
      <Icon name="check" size={16} />
      <span>{text}</span>
      <IconButton icon="close" label="Dismiss" onPress={() => dismiss(id)} />
    </div>
  );
}
