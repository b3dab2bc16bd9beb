package exec

import "testing"

func TestLookupUser(t *testing.T) {
	root := testRoot(t, map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n# comment\nbob:x:1000:1001:Bob:/home/bob:/bin/sh\nbroken:x:abc:1:::\n",
		"/etc/group":  "root:x:0:\nstaff:x:50:alice,bob\nbobs:x:1001:bob\nwheel:x:10:root\n",
	})
	for _, c := range []struct {
		spec   string
		want   account
		errors bool
	}{
		{"", account{0, 0, []uint32{0, 10}, "/root"}, false},
		{"bob", account{1000, 1001, []uint32{1001, 50}, "/home/bob"}, false},
		{"1000", account{1000, 1001, []uint32{1001, 50}, "/home/bob"}, false},
		{"bob:staff", account{1000, 50, []uint32{50}, "/home/bob"}, false},
		{"1000:7", account{1000, 7, []uint32{7}, "/home/bob"}, false},
		{"4242", account{4242, 0, []uint32{0}, "/"}, false},
		{"4242:staff", account{4242, 50, []uint32{50}, "/"}, false},
		{"nobody-here", account{}, true},
		{"bob:no-group", account{}, true},
		{"4294967295", account{}, true},
		{"broken", account{}, true},
	} {
		got, err := lookupUser(root, c.spec)
		if (err != nil) != c.errors {
			t.Errorf("%q: error %v", c.spec, err)
			continue
		}
		if err == nil && (got.uid != c.want.uid || got.gid != c.want.gid || got.home != c.want.home ||
			!equalGroups(got.groups, c.want.groups)) {
			t.Errorf("%q: got %+v, want %+v", c.spec, got, c.want)
		}
	}
}

func equalGroups(a, b []uint32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
