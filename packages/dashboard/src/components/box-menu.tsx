import type { Box } from "boxrun-sdk";
import { useLocation } from "wouter";
import { boxLabel, verbAllowed } from "../api/boxes.ts";
import { IconButton } from "../ui/button.tsx";
import { Menu, MenuItem, MenuLine } from "../ui/menu.tsx";
import { useCommandBoxes } from "./box-commands.tsx";
import { boxPath } from "./paths.ts";

export function BoxMenu({ box }: { readonly box: Box }) {
  const command = useCommandBoxes();
  const [, navigate] = useLocation();
  return (
    <Menu trigger={<IconButton icon="more" label={`More for ${boxLabel(box)}`} />}>
      <MenuItem icon="terminal" disabled={box.status !== "running"} onSelect={() => navigate(boxPath(box, "terminal"))}>
        Terminal
      </MenuItem>
      <MenuItem icon="folder" disabled={box.status !== "running"} onSelect={() => navigate(boxPath(box, "files"))}>
        Files
      </MenuItem>
      <MenuItem icon="copy" onSelect={() => void navigator.clipboard.writeText(box.id)}>
        Copy id
      </MenuItem>
      <MenuLine />
      <MenuItem icon="run" disabled={!verbAllowed("start", box)} onSelect={() => command("start", [box])}>
        Start
      </MenuItem>
      <MenuItem icon="stop" disabled={!verbAllowed("stop", box)} onSelect={() => command("stop", [box])}>
        Stop
      </MenuItem>
      <MenuItem icon="trash" danger disabled={!verbAllowed("remove", box)} onSelect={() => command("remove", [box])}>
        Remove…
      </MenuItem>
    </Menu>
  );
}
