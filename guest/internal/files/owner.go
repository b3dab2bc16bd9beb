package files

import (
	"os"
	"syscall"

	"boxrun.dev/guest/internal/account"
	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
)

// Ownership says whose what is written becomes. nil: root's, or as the archive says.
type Ownership struct {
	Owner inroot.Owner
	// Everything: also what is there already. Without it that keeps its owner.
	Everything bool
}

// Ownership looks "name", "uid", "name:group" or "uid:gid" up in the box; without a group it is the user's own.
func (f *Files) Ownership(spec string, everything bool) (*Ownership, error) {
	who, err := account.Lookup(f.root, spec)
	if err != nil {
		return nil, refuse("owner: %v", err)
	}
	return &Ownership{inroot.Owner{UID: who.UID, GID: who.GID}, everything}, nil
}

// parents is whose the directories are that are made on the way.
func (o *Ownership) parents() *inroot.Owner {
	if o == nil || os.Geteuid() != 0 {
		return nil
	}
	return &o.Owner
}

// of is whose a file becomes that takes the place of another one of its kind, if there is one; given is what applies otherwise.
func (o *Ownership) of(given inroot.Owner, old *syscall.Stat_t) inroot.Owner {
	switch {
	case o == nil:
		return given
	case old != nil && !o.Everything:
		return inroot.Owner{UID: old.Uid, GID: old.Gid}
	}
	return o.Owner
}

// replaced is the regular file whose place is taken, where that matters.
func (o *Ownership) replaced(dir int, name string) *syscall.Stat_t {
	if o == nil || o.Everything {
		return nil
	}
	st, err := sys.Lstatat(dir, name)
	if err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return nil
	}
	return &st
}
