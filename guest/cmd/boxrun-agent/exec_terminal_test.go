package main

import (
	"strings"
	"testing"

	"boxrun.dev/guest/internal/wire"
)

func TestTerminal(t *testing.T) {
	a := startAgent(t, "/")
	start := sh("test -t 0 && test -t 1 && test -t 2 && echo tty $TERM; stty size; read x; stty size; echo got $x >&2; cat; exit 3")
	start.TTY, start.Stdin = &wire.TTY{Cols: 91, Rows: 31}, true
	id := a.begin(t, start)
	o, err := a.Read(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var seen string
	for !strings.Contains(seen, "31 91") {
		_, payload, err := o.Next()
		if err != nil {
			t.Fatal(err)
		}
		seen += string(payload)
	}
	o.Close()
	a.post(t, "/execs/"+id+"/resize", wire.TTY{Cols: 100, Rows: 40})
	if _, err := a.Bytes("POST", "/execs/"+id+"/stdin", strings.NewReader("hello\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Bytes("POST", "/execs/"+id+"/stdin?eof=true", strings.NewReader("unfinished")); err != nil {
		t.Fatal(err)
	}
	r := a.finish(t, id)
	out := string(r.Stdout)
	for _, want := range []string{"tty xterm-256color\r\n", "31 91\r\n", "40 100\r\n", "got hello\r\n", "unfinished"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
	if r.Exit.Code != 3 || len(r.Stderr) != 0 {
		t.Errorf("%+v, stderr %q", r.Exit, r.Stderr)
	}
}

func TestInterruptOnTheTerminal(t *testing.T) {
	a := startAgent(t, "/")
	// No shell: one that gets the signal just before it starts its next command waits for that.
	id := a.begin(t, wire.ExecStart{Argv: []string{"sleep", "1000"}, TTY: &wire.TTY{Cols: 80, Rows: 24}})
	if _, err := a.Bytes("POST", "/execs/"+id+"/stdin", strings.NewReader("\x03")); err != nil {
		t.Fatal(err)
	}
	if r := a.finish(t, id); r.Exit.Code != 130 || r.Exit.Signal != "SIGINT" {
		t.Errorf("%+v", r.Exit)
	}
}
