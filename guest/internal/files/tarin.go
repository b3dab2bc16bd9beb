package files

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

// Untar unpacks a stream below the directory path, which is made if missing. Files are replaced, directories kept; a
// symlink to a directory counts as one. Names with ".." are refused. Each file appears only when it is complete, but
// what came before an error stays. Whose it becomes is what the archive says, unless owner says otherwise.
func (f *Files) Untar(path string, owner *Ownership, body io.Reader) error {
	if err := checkPath("untar to", path); err != nil {
		return err
	}
	dir, err := f.root.MkdirAllAs(path, owner.parents())
	if err != nil {
		return fail("untar to", path, err)
	}
	syscall.Close(dir)
	u := &unpacker{files: f, base: strings.TrimRight(path, "/"), owner: owner, asRoot: os.Geteuid() == 0, parent: -1}
	defer u.forgetParent()
	in := tar.NewReader(body)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = u.entry(h, in)
			if err != nil {
				err = fmt.Errorf("%s: %w", wire.Text(h.Name), err)
			}
		}
		if err != nil {
			return untarError(path, err)
		}
	}
	// What follows the end mark is padding; a sender that is not read to the end takes that for a failure.
	if _, err := copyTo(io.Discard, body); err != nil {
		return untarError(path, err)
	}
	if err := u.setDirectoryTimes(); err != nil {
		return untarError(path, err)
	}
	return nil
}

func untarError(path string, err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errClimbs) ||
		errors.Is(err, errType) {
		return refuse("untar to %s: %v", wire.Text(path), err)
	}
	return fail("untar to", path, err)
}

var (
	errClimbs = errors.New(`name with ".."`)
	errType   = errors.New("unknown type of entry")
)

type unpacker struct {
	files  *Files
	base   string // of the box, without a slash at its end
	owner  *Ownership
	asRoot bool

	parent     int // O_PATH of parentPath, or -1: most entries follow one in the same directory
	parentPath string
	times      []dirTime
}

type dirTime struct {
	path string
	time time.Time
}

func (u *unpacker) forgetParent() {
	if u.parent >= 0 {
		syscall.Close(u.parent)
	}
	u.parent = -1
}

// clean makes an entry's name relative, without dots; "" is the directory itself.
func clean(name string) (string, error) {
	var parts []string
	for _, p := range strings.Split(name, "/") {
		switch p {
		case "", ".":
		case "..":
			return "", errClimbs
		default:
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "/"), nil
}

// locate opens the directory that has, or will have, the cleaned name. It stays the unpacker's.
func (u *unpacker) locate(name string) (dir int, last string, err error) {
	dirPath, last := inroot.Split(u.base + "/" + name)
	if u.parent < 0 || u.parentPath != dirPath {
		u.forgetParent()
		fd, err := u.files.root.MkdirAllAs(dirPath, u.owner.parents())
		if err != nil {
			return -1, "", err
		}
		u.parent, u.parentPath = fd, dirPath
	}
	return u.parent, last, nil
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := clean(h.Name)
	if err != nil {
		return err
	}
	if name == "" {
		return nil // the directory itself keeps what it has
	}
	dir, last, err := u.locate(name)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, '\x00', tar.TypeCont:
		return u.regular(dir, last, h, content)
	case tar.TypeDir:
		return u.directory(dir, last, name, h)
	}
	// The rest cannot be made over an existing name. A symlink may take the place of a directory that was looked up before.
	temp := tempName()
	if err := u.make(dir, temp, h); err != nil {
		return err
	}
	err = u.special(dir, temp, h)
	if err == nil {
		err = syscall.Renameat(dir, temp, dir, last)
	}
	// Also after a success: a hard link renamed over another name of the same file stays where it is.
	_ = sys.Unlinkat(dir, temp, 0)
	u.forgetParent()
	return err
}

// make makes a symlink, hard link, fifo or device.
func (u *unpacker) make(dir int, name string, h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeSymlink:
		return sys.Symlinkat(h.Linkname, dir, name)
	case tar.TypeLink:
		return u.hardLink(dir, name, h.Linkname)
	case tar.TypeFifo:
		return syscall.Mknodat(dir, name, syscall.S_IFIFO|0o600, 0)
	case tar.TypeChar:
		return syscall.Mknodat(dir, name, syscall.S_IFCHR|0o600, joinDevice(h.Devmajor, h.Devminor))
	case tar.TypeBlock:
		return syscall.Mknodat(dir, name, syscall.S_IFBLK|0o600, joinDevice(h.Devmajor, h.Devminor))
	}
	return fmt.Errorf("%w %q", errType, h.Typeflag)
}

func (u *unpacker) hardLink(dir int, name, target string) error {
	target, err := clean(target)
	if err != nil {
		return err
	}
	from, last := inroot.Split(u.base + "/" + target)
	fd, err := u.files.root.OpenFD(from, sys.OPath|syscall.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return sys.Linkat(fd, last, dir, name)
}

// special sets owner, mode and time of what make has made.
func (u *unpacker) special(dir int, name string, h *tar.Header) error {
	if h.Typeflag == tar.TypeLink {
		return nil
	}
	if err := u.own(dir, name, h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeSymlink {
		// The name is new and random: nobody has put a symlink in its place.
		if err := syscall.Fchmodat(dir, name, uint32(h.Mode)&0o7777, 0); err != nil {
			return err
		}
	}
	return sys.Utimesat(dir, name, h.ModTime.Unix(), int64(h.ModTime.Nanosecond()))
}

func (u *unpacker) own(dir int, name string, h *tar.Header) error {
	if !u.asRoot {
		return nil
	}
	owner := u.owner.of(archived(h), nil)
	return syscall.Fchownat(dir, name, int(owner.UID), int(owner.GID), sys.AtSymlinkNofollow)
}

// archived is whose the archive says an entry is.
func archived(h *tar.Header) inroot.Owner {
	return inroot.Owner{UID: uint32(h.Uid), GID: uint32(h.Gid)}
}

func (u *unpacker) regular(dir int, name string, h *tar.Header, content io.Reader) error {
	write := copyAll
	if isSparse(h) {
		write = writeSparse
	}
	return replace(dir, name, content, write, func(fd int) error {
		if u.asRoot {
			owner := u.owner.of(archived(h), u.owner.replaced(dir, name))
			if err := syscall.Fchown(fd, int(owner.UID), int(owner.GID)); err != nil {
				return err
			}
		}
		if err := syscall.Fchmod(fd, uint32(h.Mode)&0o7777); err != nil {
			return err
		}
		return sys.Futimens(fd, h.ModTime.Unix(), int64(h.ModTime.Nanosecond()))
	})
}

func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func (u *unpacker) directory(dir int, name, full string, h *tar.Header) error {
	path := u.base + "/" + full
	var old *syscall.Stat_t
	fd, err := u.files.root.OpenFD(path, sys.OPath|syscall.O_DIRECTORY)
	if err == syscall.ENOENT || err == syscall.ENOTDIR {
		_ = sys.Unlinkat(dir, name, 0) // a file or a dangling symlink
		if err := syscall.Mkdirat(dir, name, 0o700); err != nil && err != syscall.EEXIST {
			return err
		}
		fd, err = u.files.root.OpenFD(path, sys.OPath|syscall.O_DIRECTORY)
	} else if err == nil {
		old = new(syscall.Stat_t)
		if err := syscall.Fstat(fd, old); err != nil {
			syscall.Close(fd)
			return err
		}
	}
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if u.asRoot {
		owner := u.owner.of(archived(h), old)
		if err := syscall.Chown(sys.FDPath(fd), int(owner.UID), int(owner.GID)); err != nil {
			return err
		}
	}
	if err := syscall.Chmod(sys.FDPath(fd), uint32(h.Mode)&0o7777); err != nil {
		return err
	}
	u.times = append(u.times, dirTime{path, h.ModTime})
	return nil
}

// setDirectoryTimes comes last, because unpacking into a directory changes its time.
func (u *unpacker) setDirectoryTimes() error {
	for _, d := range u.times {
		dir, err := u.files.openDirectory(d.path)
		if err == syscall.ENOENT || err == syscall.ENOTDIR || err == syscall.EACCES {
			continue
		}
		if err != nil {
			return err
		}
		err = sys.Futimens(int(dir.Fd()), d.time.Unix(), int64(d.time.Nanosecond()))
		dir.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
