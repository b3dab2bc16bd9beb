/** The shells whose Tab calls `boxrun __complete`; their scripts know nothing of verbs and options. */
export const shells = ["bash", "zsh", "fish", "powershell"] as const;
export type Shell = (typeof shells)[number];

export function isShell(name: string): name is Shell {
  return shells.some((shell) => shell === name);
}

export const scripts: Readonly<Record<Shell, string>> = {
  // Also for the bash 3.2 of macOS, which has neither mapfile nor compopt. Words are handed over as they were typed, quotes included.
  bash: String.raw`# Tab completion of boxrun for bash
_boxrun() {
  local rest=\${COMP_LINE:0:COMP_POINT} words=() gap word line tab=$'\t' host_paths="" i
  # bash parts words at ":" and "=" as well; what stood together is put together again.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    gap=\${rest%%[![:space:]]*}
    rest=\${rest:\${#gap}}
    word=\${COMP_WORDS[i]}
    ((i == COMP_CWORD)) && word=$rest
    if ((i > 0)) && [[ -z $gap ]]; then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    rest=\${rest#"$word"}
  done
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == "$tab"* ]]; then host_paths=\${line#"$tab"}; else COMPREPLY+=("\${line%%"$tab"*}"); fi
  done < <(COMP_WORDBREAKS=$COMP_WORDBREAKS command boxrun __complete bash "\${words[@]:1}" 2>/dev/null)
  if [[ -n $host_paths ]]; then
    if ((\${#COMPREPLY[@]} == 0)); then
      # readline's own file names, quotes and ~ included.
      if [[ $host_paths == directories ]]; then compopt -o dirnames; else compopt -o default; fi 2>/dev/null
    else
      while IFS= read -r line; do
        printf -v word %q "$line"
        [[ -d $line ]] && word+=/
        COMPREPLY+=("$word")
      done < <(compgen -f -- "\${words[\${#words[@]} - 1]}")
    fi
  fi
  if ((\${#COMPREPLY[@]} == 1)) && [[ \${COMPREPLY[0]} == *[/:=] ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -F _boxrun boxrun
`.replaceAll("\\$", "$"),
  zsh: String.raw`#compdef boxrun
# Tab completion of boxrun for zsh
_boxrun() {
  local line word entry host_paths tab=$'\t' ret=1
  local -a ended open
  for line in "\${(@f)$(command boxrun __complete zsh "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}"; do
    if [[ -z $line ]]; then continue; fi
    if [[ $line == $tab* ]]; then host_paths=\${line#$tab}; continue; fi
    word=\${line%%$tab*}
    entry=\${word//\\/\\\\}
    entry=\${entry//:/\\:}
    if [[ $line == *$tab* ]]; then entry+=:\${line#*$tab}; fi
    if [[ $word == *[/:=] ]]; then open+=("$entry"); else ended+=("$entry"); fi
  done
  if (( $#ended )); then _describe -V -t boxrun-words boxrun ended && ret=0; fi
  if (( $#open )); then _describe -V -t boxrun-open-words boxrun open -S '' && ret=0; fi
  if [[ -n $host_paths ]]; then
    if [[ $PREFIX == --*=* ]]; then compset -P '*='; fi
    if [[ $host_paths == directories ]]; then _files -/ && ret=0; else _files && ret=0; fi
  fi
  return ret
}
# From a file in $fpath it is the function itself, else it is sourced.
if [[ $funcstack[1] == _boxrun ]]; then _boxrun "$@"; else compdef _boxrun boxrun; fi
`.replaceAll("\\$", "$"),
  fish: String.raw`# Tab completion of boxrun for fish
function __boxrun_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l word (commandline -ct)
    set -l host_paths
    for line in (command boxrun __complete fish $words "$word" 2>/dev/null)
        switch $line
            case \t'*'
                set host_paths (string sub --start 2 -- $line)
            case '*'
                printf '%s\n' $line
        end
    end
    switch "$host_paths"
        case files
            __fish_complete_path "$word"
        case directories
            __fish_complete_directories "$word"
    end
end
complete --command boxrun --no-files --keep-order --arguments '(__boxrun_complete)'
`,
  // The word that is being typed goes with a "=" before it: older PowerShells drop an argument that is empty.
  powershell: `# Tab completion of boxrun for PowerShell
Register-ArgumentCompleter -Native -CommandName boxrun -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    })
    $hostPaths = $false
    & boxrun __complete powershell @words "=$wordToComplete" 2>$null | ForEach-Object {
        $text, $description = $_ -split [char]9, 2
        if ($text -eq '') { $hostPaths = $true; return }
        if (-not $description) { $description = $text }
        [System.Management.Automation.CompletionResult]::new($text, $text, 'ParameterValue', $description)
    }
    if ($hostPaths) { [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete) }
}
`,
};
