import type { IconName } from "../ui/icon.tsx";

/** The pages that one can go to from everywhere; `key` behind `g`. */
export const places = [
  { to: "/boxes", name: "Boxes", icon: "boxes", key: "b" },
  { to: "/run", name: "Run", icon: "run", key: "r" },
  { to: "/images", name: "Images", icon: "images", key: "i" },
  { to: "/history", name: "History", icon: "history", key: "h" },
  { to: "/server", name: "Server", icon: "server", key: "s" },
] as const satisfies readonly { to: string; name: string; icon: IconName; key: string }[];
