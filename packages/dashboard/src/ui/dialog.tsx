import { type ReactNode, useEffect, useId, useRef } from "react";
import { classes } from "../util/classes.ts";
import { IconButton } from "./button.tsx";
import "./dialog.css";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly wide?: boolean;
  /** Read out, not shown: for a dialog that is all content. */
  readonly bare?: boolean;
}

/**
 * The platform's own modal dialog: it holds the focus, makes the page behind it inert, gives the focus back, and knows Escape. It is mounted while
 * it is open; what has `data-focus` is focused first. (Radix' locks the page's scrolling with an inline style sheet, which the content security policy forbids.)
 */
export function Dialog({ title, onClose, children, wide = false, bare = false }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog === null || dialog.open) return;
    dialog.showModal();
    dialog.querySelector<HTMLElement>("[data-focus]")?.focus();
    return () => dialog.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside it is what Escape is to the keyboard
    <dialog
      ref={ref}
      className={classes("dialog", wide && "dialog-wide", bare && "dialog-bare")}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <div className="dialog-inside">
        <header className={bare ? "unseen" : "dialog-head"}>
          <h2 id={titleId}>{title}</h2>
          {!bare && <IconButton icon="close" label="Close" onClick={onClose} />}
        </header>
        {children}
      </div>
    </dialog>
  );
}

export function DialogActions({ children }: { readonly children: ReactNode }) {
  return <footer className="dialog-actions">{children}</footer>;
}
