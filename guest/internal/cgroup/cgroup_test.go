package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOOMKillsAreCounted(t *testing.T) {
	var none *Group
	g := &Group{path: t.TempDir()}
	for _, c := range []struct {
		events string
		want   int
	}{
		{"", 0},
		{"low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n", 0},
		{"low 0\nhigh 0\nmax 0\noom 4\noom_kill 3\noom_group_kill 7\n", 3},
		{"oom_kill x\n", 0},
	} {
		if err := os.WriteFile(filepath.Join(g.path, "memory.events"), []byte(c.events), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := g.OOMKills(); got != c.want {
			t.Errorf("%q: %d, want %d", c.events, got, c.want)
		}
	}
	os.Remove(filepath.Join(g.path, "memory.events"))
	if got := g.OOMKills() + none.OOMKills(); got != 0 {
		t.Errorf("without the controller: %d", got)
	}
}
