export { Tmux } from "./tmux.ts";
