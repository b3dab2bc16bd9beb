import { Argument } from "commander";
import { type Shell, scripts, shells } from "../completion/shells.ts";
import { reporterOf } from "../session.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  command
    .addArgument(new Argument("<shell>", "whose Tab it is").choices(shells))
    .addHelpText(
      "after",
      `
Completes verbs, options and their values, and asks the server for boxes, images, execs, and paths in boxes: \`boxrun cp dev:/et<Tab>\`.
Tab starts no server. Put the script where your shell looks for it, then open a new shell:

  bash        needs the package bash-completion; without it: echo 'source <(boxrun completion bash)' >> ~/.bashrc
              $ d=~/.local/share/bash-completion/completions; mkdir -p $d && boxrun completion bash > $d/boxrun
  zsh         any directory in $fpath, before compinit runs; or: echo 'source <(boxrun completion zsh)' >> ~/.zshrc
              $ mkdir -p ~/.zfunc && boxrun completion zsh > ~/.zfunc/_boxrun
  fish        $ mkdir -p ~/.config/fish/completions && boxrun completion fish > ~/.config/fish/completions/boxrun.fish
  powershell  PS> boxrun completion powershell | Out-String | Invoke-Expression    # put this line into $PROFILE

Examples:
  $ source <(boxrun completion bash)
  $ boxrun completion fish | source
`,
    )
    .action(async (shell: Shell) => {
      await reporterOf(command).result({ shell, script: scripts[shell] }, ({ script }) => script);
    });
}
