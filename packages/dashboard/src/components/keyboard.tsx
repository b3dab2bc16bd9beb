import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { Dialog } from "../ui/dialog.tsx";
import { isTyping } from "../util/keyboard.ts";
import { places } from "./places.ts";

const Palette = lazy(() => import("./palette.tsx").then(({ Palette }) => ({ default: Palette })));

/** How long `g` waits for the letter behind it, in ms. */
const sequenceMs = 1_000;

const help = [
  ["Ctrl K", "Commands: everything the page can do; in a terminal Ctrl Shift K"],
  ["/", "Search boxes"],
  ["c", "Create a box"],
  ["↑ ↓, j k", "From box to box in the list; Enter opens it"],
  ["g, then a letter", places.map(({ key, name }) => `${key} ${name}`).join(", ")],
  ["Ctrl Shift F", "Search in the terminal"],
  ["Ctrl S", "Save the file that is edited"],
  ["?", "This list"],
] as const;

/** Ctrl-K; in a terminal that is the shell's own, and Ctrl-Shift-K is ours. */
function isPaletteKey({ key, ctrlKey, metaKey, altKey, shiftKey, target }: KeyboardEvent): boolean {
  if (key.toLowerCase() !== "k" || altKey || !(ctrlKey || metaKey)) return false;
  const isTerminal = target instanceof Element && target.closest(".xterm") !== null;
  return shiftKey || metaKey || !isTerminal;
}

/** The keys that work on every page. */
export function Keyboard() {
  const [location, navigate] = useLocation();
  const [open, setOpen] = useState<"palette" | "help">();
  const goneAtMs = useRef(Number.NEGATIVE_INFINITY);
  // biome-ignore lint/correctness/useExhaustiveDependencies: going elsewhere, by the browser's own buttons too, is the end of it
  useEffect(() => setOpen(undefined), [location]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isPaletteKey(event)) {
        event.preventDefault();
        event.stopPropagation();
        setOpen((now) => (now === "palette" ? undefined : "palette"));
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]") !== null) return;
      const place = places.find(({ key }) => key === event.key);
      if (place !== undefined && event.timeStamp - goneAtMs.current < sequenceMs) navigate(place.to);
      else if (event.key === "c") navigate("/create");
      else if (event.key === "?") setOpen("help");
      goneAtMs.current = event.key === "g" ? event.timeStamp : Number.NEGATIVE_INFINITY;
    };
    // Before a terminal takes it for itself.
    window.addEventListener("keydown", onKey, { capture: true });
    return () => window.removeEventListener("keydown", onKey, { capture: true });
  }, [navigate]);
  const close = () => setOpen(undefined);
  return (
    <Suspense>
      {open === "palette" && <Palette onClose={close} />}
      {open === "help" && (
        <Dialog title="Keys" onClose={close}>
          <dl className="keys">
            {help.map(([keys, what]) => (
              <div key={keys}>
                <dt>
                  <kbd>{keys}</kbd>
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </Dialog>
      )}
    </Suspense>
  );
}
