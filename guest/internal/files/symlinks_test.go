package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"boxrun.dev/guest/internal/wire"
)

func TestSymlinksMeanWhatTheyMeanInside(t *testing.T) {
	b := newBox(t)
	check(t, os.Symlink("/etc", b.host("/abs")))
	check(t, os.Symlink(b.outside, b.host("/out")))
	check(t, os.Symlink("../../../../../../"+b.outside, b.host("/climb")))
	check(t, os.Symlink("etc/target", b.host("/link")))
	check(t, b.Write("/abs/f", nil, nil, strings.NewReader("in etc")))
	if got, err := b.read(t, "/etc/f"); err != nil || got != "in etc" {
		t.Errorf("through an absolute symlink: %q, %v", got, err)
	}
	check(t, b.Write("/link", nil, nil, strings.NewReader("through")))
	if target, err := os.Readlink(b.host("/link")); err != nil || target != "etc/target" {
		t.Errorf("the symlink was replaced: %q, %v", target, err)
	}
	if got, _ := b.read(t, "/etc/target"); got != "through" {
		t.Errorf("the symlink's target has %q", got)
	}
	for _, p := range []string{"/out/secret", "/climb/secret", "/../outside/secret", "/etc/../../outside/secret"} {
		_, err := b.read(t, p)
		wantCode(t, err, wire.NotFound, "no such file")
	}
	_ = b.Write("/out/secret", nil, nil, strings.NewReader("overwritten"))
	_ = b.Write("/climb/new", nil, nil, strings.NewReader("x"))
	_ = b.Remove("/out/secret")
	_ = b.Remove("/../outside/secret")
	if text, err := os.ReadFile(filepath.Join(b.outside, "secret")); string(text) != "secret" || tree(t, b.outside) != " /secret" {
		t.Errorf("outside was changed: %q, %v, %s", text, err, tree(t, b.outside))
	}
}

func TestSwappingSymlinksNeverEscapes(t *testing.T) {
	b := newBox(t)
	check(t, os.Mkdir(b.host("/real"), 0o755))
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			temp := b.host("/swap.tmp")
			if i%2 == 0 {
				_ = os.Symlink(b.outside, temp)
			} else {
				_ = os.Symlink("/real", temp)
			}
			_ = os.Rename(temp, b.host("/swap"))
		}
	}()
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		_ = b.Write("/swap/secret", nil, nil, strings.NewReader("overwritten"))
		_ = b.Remove("/swap/secret")
		if got, err := b.read(t, "/swap/secret"); err == nil && got == "secret" {
			t.Error("read the secret")
		}
	}
	close(stop)
	<-done
	if text, err := os.ReadFile(filepath.Join(b.outside, "secret")); string(text) != "secret" || err != nil {
		t.Errorf("outside was changed: %q, %v", text, err)
	}
}
