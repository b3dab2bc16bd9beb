// Package account looks up who a name is in the box: in its own /etc/passwd and /etc/group.
package account

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"boxrun.dev/guest/internal/inroot"
)

// Account is a user with a group.
type Account struct {
	UID, GID uint32
	Groups   []uint32
	Home     string
}

// passwdLimit is how much of /etc/passwd and /etc/group is read, in bytes.
const passwdLimit = 1 << 20

// Lookup reads "name", "uid", "name:group" or "uid:gid" against the box's own files; "" is root. A number needs no
// entry. Without an explicit group, the user's own and those that list the user apply.
func Lookup(root *inroot.Root, spec string) (Account, error) {
	user, group, _ := strings.Cut(spec, ":")
	if user == "" {
		user = "0"
	}
	a := Account{Home: "/"}
	uid, isNumber := number(user)
	name, found := "", false
	passwd, err := table(root, "/etc/passwd", 4, 7)
	if err != nil {
		return a, err
	}
	for _, f := range passwd {
		fuid, ok1 := number(f[2])
		fgid, ok2 := number(f[3])
		if ok1 && ok2 && (f[0] == user || isNumber && fuid == uid) {
			name, found = f[0], true
			a.UID, a.GID = fuid, fgid
			if f[5] != "" {
				a.Home = f[5]
			}
			break
		}
	}
	if !found {
		if !isNumber {
			return a, fmt.Errorf("no such user: %s", user)
		}
		a.UID = uid
		if uid == 0 {
			a.Home = "/root"
		}
	}
	groups, err := table(root, "/etc/group", 3, 4)
	if err != nil {
		return a, err
	}
	if group != "" {
		if a.GID, err = lookupGroup(groups, group); err != nil {
			return a, err
		}
		a.Groups = []uint32{a.GID}
		return a, nil
	}
	a.Groups = []uint32{a.GID}
	for _, f := range groups {
		gid, ok := number(f[2])
		if !ok || !found || gid == a.GID {
			continue
		}
		for _, member := range strings.Split(f[3], ",") {
			if member == name {
				a.Groups = append(a.Groups, gid)
				break
			}
		}
	}
	return a, nil
}

func lookupGroup(groups [][]string, group string) (uint32, error) {
	want, isNumber := number(group)
	for _, f := range groups {
		if gid, ok := number(f[2]); ok && f[0] == group {
			return gid, nil
		}
	}
	if isNumber {
		return want, nil
	}
	return 0, fmt.Errorf("no such group: %s", group)
}

func number(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	// 4294967295 means "leave unchanged" to the kernel.
	return uint32(n), err == nil && n != 1<<32-1
}

// table reads a colon-separated file, whose lines may lack the last of their fields, but have the first least. A missing file is an empty one.
func table(root *inroot.Root, path string, least, fields int) ([][]string, error) {
	text, err := root.ReadSmall(path, passwdLimit)
	if errors.Is(err, syscall.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var rows [][]string
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Split(strings.TrimSuffix(line, "\r"), ":")
		if len(f) < least {
			continue
		}
		for len(f) < fields {
			f = append(f, "")
		}
		rows = append(rows, f)
	}
	return rows, nil
}
