package account

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"boxrun.dev/guest/internal/inroot"
)

func TestLookup(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n# comment\nbob:x:1000:1001:Bob:/home/bob:/bin/sh\nbroken:x:abc:1:::\nshort:x:7:8\ncr:x:9:9::/cr:/bin/sh\r\n77:x:78:78::/n:\n",
		"/etc/group":  "root:x:0:\nstaff:x:50:alice,bob\nbobs:x:1001:bob\nwheel:x:10:root\nshort:x:8\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := inroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, c := range []struct {
		spec   string
		want   Account
		errors bool
	}{
		{"", Account{0, 0, []uint32{0, 10}, "/root"}, false},
		{"bob", Account{1000, 1001, []uint32{1001, 50}, "/home/bob"}, false},
		{"1000", Account{1000, 1001, []uint32{1001, 50}, "/home/bob"}, false},
		{"bob:staff", Account{1000, 50, []uint32{50}, "/home/bob"}, false},
		{"1000:7", Account{1000, 7, []uint32{7}, "/home/bob"}, false},
		{"4242", Account{4242, 0, []uint32{0}, "/"}, false},
		{"4242:staff", Account{4242, 50, []uint32{50}, "/"}, false},
		{"bob:", Account{1000, 1001, []uint32{1001, 50}, "/home/bob"}, false},
		{":staff", Account{0, 50, []uint32{50}, "/root"}, false},
		{"short", Account{7, 8, []uint32{8}, "/"}, false},
		{"cr:short", Account{9, 8, []uint32{8}, "/cr"}, false},
		{"77", Account{78, 78, []uint32{78}, "/n"}, false},
		{"nobody-here", Account{}, true},
		{"bob:no-group", Account{}, true},
		{"4294967295", Account{}, true},
		{"broken", Account{}, true},
	} {
		got, err := Lookup(root, c.spec)
		if (err != nil) != c.errors {
			t.Errorf("%q: error %v", c.spec, err)
			continue
		}
		if err == nil && (got.UID != c.want.UID || got.GID != c.want.GID || got.Home != c.want.Home ||
			!slices.Equal(got.Groups, c.want.Groups)) {
			t.Errorf("%q: got %+v, want %+v", c.spec, got, c.want)
		}
	}
}
