import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, LanguageDescription } from "@codemirror/language";
import { languages } from "@codemirror/language-data";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { editorTheme } from "./theme.ts";

interface EditorProps {
  readonly name: string;
  readonly text: string;
  /** Called on Ctrl-S. */
  readonly onSave: (text: string) => void;
  readonly onChange: (text: string) => void;
}

/**
 * A text to edit. It is in a shadow tree, because there CodeMirror takes constructed style sheets, which the content security policy allows, and
 * style elements everywhere else.
 */
export function Editor({ name, text, onSave, onChange }: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const callbacks = useRef({ onSave, onChange });
  callbacks.current = { onSave, onChange };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text is where the editing begins
  useEffect(() => {
    if (host.current === null) return;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const language = new Compartment();
    const save = (view: EditorView) => {
      callbacks.current.onSave(view.state.doc.toString());
      return true;
    };
    const view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: text,
        extensions: [
          lineNumbers(),
          history(),
          drawSelection(),
          bracketMatching(),
          highlightActiveLine(),
          highlightSelectionMatches(),
          search({ top: true }),
          keymap.of([
            { key: "Mod-s", run: save, preventDefault: true },
            ...searchKeymap,
            ...historyKeymap,
            ...defaultKeymap,
            indentWithTab,
          ]),
          language.of([]),
          editorTheme,
          EditorView.contentAttributes.of({ "aria-label": `Content of ${name}`, spellcheck: "false" }),
          EditorView.updateListener.of(({ docChanged, state }) => {
            if (docChanged) callbacks.current.onChange(state.doc.toString());
          }),
        ],
      }),
    });
    view.focus();
    let isOver = false;
    LanguageDescription.matchFilename(languages, name)
      ?.load()
      .then((support) => {
        if (!isOver) view.dispatch({ effects: language.reconfigure(support) });
      })
      // Without colours it is as good a text.
      .catch(() => undefined);
    return () => {
      isOver = true;
      view.destroy();
    };
  }, [name]);
  return <div ref={host} className="editor" />;
}
