import { useEffect, useRef, useState } from "react";
import { Button, IconButton } from "../../ui/button.tsx";
import { Dialog, DialogActions } from "../../ui/dialog.tsx";
import { Notice } from "../../ui/notice.tsx";
import { type AttachmentState, keepAttached } from "./attachment.ts";
import { openScreen, type Screen } from "./screen.ts";
import "./terminal.css";

interface TerminalViewProps {
  readonly boxId: string;
  readonly session: string;
  /** Called when the shell has ended, or cannot be had. */
  readonly onOver?: () => void;
}

/** A session of a box, as a terminal. */
export function TerminalView({ boxId, session, onOver }: TerminalViewProps) {
  const host = useRef<HTMLDivElement>(null);
  const screenRef = useRef<Screen>(undefined);
  const over = useRef(onOver);
  over.current = onOver;
  const [attachment, setAttachment] = useState<AttachmentState>({ state: "connecting" });
  const [link, setLink] = useState<string>();
  const [attempt, setAttempt] = useState(0);
  const [searching, setSearching] = useState(false);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt is another attachment
  useEffect(() => {
    if (host.current === null) return;
    const leave = new AbortController();
    let attached: Parameters<Parameters<typeof keepAttached>[0]["onTerminal"]>[0];
    const screen = openScreen(host.current, {
      onLink: setLink,
      onResize: (size) => attached?.resize(size),
    });
    screenRef.current = screen;
    // What is typed while nothing is attached is lost, as on a line that is dead.
    const type = (data: string | Uint8Array) => void attached?.write(data).catch(() => undefined);
    screen.terminal.onData(type);
    screen.terminal.onBinary((text) => type(Uint8Array.from(text, (character) => character.charCodeAt(0))));
    screen.terminal.attachCustomKeyEventHandler((event) => {
      const isSearch = event.key === "F" && event.ctrlKey && event.shiftKey;
      if (isSearch && event.type === "keydown") setSearching(true);
      return !isSearch;
    });
    screen.terminal.focus();
    void keepAttached({
      boxId,
      session,
      screen,
      signal: leave.signal,
      onState: (state) => {
        setAttachment(state);
        if (state.state === "over") over.current?.();
      },
      onTerminal: (terminal) => {
        attached = terminal;
      },
    });
    return () => {
      leave.abort();
      screen[Symbol.dispose]();
    };
  }, [boxId, session, attempt]);

  return (
    <div className="terminal">
      {searching && <SearchBar screen={screenRef.current} onClose={() => setSearching(false)} />}
      <div className="terminal-host" ref={host} data-session={session} data-state={attachment.state} />
      {attachment.state === "connecting" && <p className="terminal-note">Connecting…</p>}
      {attachment.state === "lost" && (
        <Notice kind="warn" title="The connection is lost; trying again. The session goes on.">
          <span className="small">{attachment.why}</span>
        </Notice>
      )}
      {attachment.state === "over" && (
        <Notice kind="quiet">
          <div className="terminal-over">
            <span className="grow">
              {attachment.why}
              {attachment.hint !== undefined && <span className="quiet"> {attachment.hint}</span>}
            </span>
            <Button icon="again" onClick={() => setAttempt((count) => count + 1)}>
              Open again
            </Button>
          </div>
        </Notice>
      )}
      {link !== undefined && <LinkDialog target={link} onClose={() => setLink(undefined)} />}
    </div>
  );
}

/** A box can call a link whatever it likes: this says where it goes. */
function LinkDialog({ target, onClose }: { readonly target: string; readonly onClose: () => void }) {
  return (
    <Dialog title="Open this address?" onClose={onClose}>
      <p>What runs in the box shows a link to:</p>
      <p className="mono break link-target">{target}</p>
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <a className="button button-primary" href={target} target="_blank" rel="noopener noreferrer" onClick={onClose}>
          Open in a new tab
        </a>
      </DialogActions>
    </Dialog>
  );
}

function SearchBar({ screen, onClose }: { readonly screen: Screen | undefined; readonly onClose: () => void }) {
  const [text, setText] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const close = () => {
    screen?.search.clearDecorations();
    screen?.terminal.focus();
    onClose();
  };
  return (
    <search className="terminal-search">
      <input
        ref={input}
        className="input"
        aria-label="Search in the terminal"
        placeholder="Search"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          screen?.search.findNext(event.target.value, { incremental: true });
        }}
        onKeyDown={(event) => {
          if (event.key === "Escape") close();
          if (event.key === "Enter") {
            if (event.shiftKey) screen?.search.findPrevious(text);
            else screen?.search.findNext(text);
          }
        }}
      />
      <IconButton icon="up" label="Previous" onClick={() => screen?.search.findPrevious(text)} />
      <IconButton icon="down" label="Next" onClick={() => screen?.search.findNext(text)} />
      <IconButton icon="close" label="Close the search" onClick={close} />
    </search>
  );
}
