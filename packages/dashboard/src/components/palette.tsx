import { Command } from "cmdk";
import { useState } from "react";
import { useLocation } from "wouter";
import { type BoxVerb, boxLabel, boxVerbs, useBoxes, verbAllowed } from "../api/boxes.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";
import { useCommandBoxes } from "./box-commands.tsx";
import { type BoxTab, boxPath, boxTabs } from "./paths.ts";
import { places } from "./places.ts";
import "./palette.css";

const verbIcons: Readonly<Record<BoxVerb, IconName>> = { start: "run", stop: "stop", remove: "trash" };

/** How many boxes are offered at a time: what is typed leaves few. */
const shownBoxes = 50;

/** Whatever the page can do, by its name. */
export function Palette({ onClose }: { readonly onClose: () => void }) {
  const [, navigate] = useLocation();
  const command = useCommandBoxes();
  const boxes = useBoxes() ?? [];
  const [text, setText] = useState("");
  const [boxId, setBoxId] = useState<string>();
  const box = boxes.find(({ id }) => id === boxId);
  const go = (path: string) => {
    onClose();
    navigate(path);
  };
  const wanted = text.toLowerCase();
  const found = boxes
    .filter((one) => `${one.name ?? ""} ${one.id}`.toLowerCase().includes(wanted))
    .slice(0, shownBoxes);
  return (
    <Dialog title="Commands" bare onClose={onClose}>
      <Command
        label="Commands"
        className="palette"
        onKeyDown={(event) => {
          if (event.key === "Backspace" && text === "") setBoxId(undefined);
        }}
      >
        <div className="palette-head">
          {box === undefined ? <Icon name="search" /> : <span className="palette-box clip">{boxLabel(box)}</span>}
          <Command.Input
            data-focus
            value={text}
            onValueChange={setText}
            placeholder={box === undefined ? "A box, a page, a command" : "What to do with it"}
          />
        </div>
        <Command.List label="Commands" className="palette-list">
          <Command.Empty className="palette-empty">Nothing is called that.</Command.Empty>
          {box === undefined ? (
            <>
              <Command.Group heading="Go to">
                <Entry icon="plus" name="Create a box" onSelect={() => go("/create")} />
                {places.map(({ to, name, icon }) => (
                  <Entry key={to} icon={icon} name={name} onSelect={() => go(to)} />
                ))}
              </Command.Group>
              {found.length > 0 && (
                <Command.Group heading="Boxes">
                  {found.map((one) => (
                    <Entry
                      key={one.id}
                      icon="boxes"
                      name={boxLabel(one)}
                      value={`${boxLabel(one)} ${one.id}`}
                      detail={one.status}
                      onSelect={() => {
                        setBoxId(one.id);
                        setText("");
                      }}
                    />
                  ))}
                </Command.Group>
              )}
            </>
          ) : (
            <>
              {boxTabs.map((tab: BoxTab) => (
                <Entry key={tab} icon="right" name={`Open ${tab}`} onSelect={() => go(boxPath(box, tab))} />
              ))}
              {boxVerbs
                .filter((verb) => verbAllowed(verb, box))
                .map((verb) => (
                  <Entry
                    key={verb}
                    icon={verbIcons[verb]}
                    name={`${verb.charAt(0).toUpperCase()}${verb.slice(1)} ${boxLabel(box)}`}
                    onSelect={() => {
                      onClose();
                      command(verb, [box]);
                    }}
                  />
                ))}
              <Entry
                icon="copy"
                name="Copy its id"
                onSelect={() => {
                  onClose();
                  void navigator.clipboard.writeText(box.id);
                }}
              />
            </>
          )}
        </Command.List>
      </Command>
    </Dialog>
  );
}

interface EntryProps {
  readonly icon: IconName;
  readonly name: string;
  readonly value?: string;
  readonly detail?: string;
  readonly onSelect: () => void;
}

function Entry({ icon, name, value = name, detail, onSelect }: EntryProps) {
  return (
    <Command.Item className="palette-item" value={value} onSelect={onSelect}>
      <Icon name={icon} />
      <span className="clip grow">{name}</span>
      {detail !== undefined && <span className="quiet small">{detail}</span>}
    </Command.Item>
  );
}
