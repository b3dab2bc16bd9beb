package boot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"syscall"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/sys"
	"boxrun.dev/guest/internal/wire"
)

// etcFiles are the box's files of /etc that the agent keeps up to date, but for those that somebody in the box has changed: what differs from
// what the agent wrote last is the user's, and stays. So a start writes nothing where nothing is new, and needs no room on a full disk.
type etcFiles struct {
	root *inroot.Root
	note note
	// written has a digest for each file, of what the agent wrote last. It is nil at the first start, when all that is there came with the image.
	written map[string]string
	// noted is what note said at first.
	noted []byte
}

// note is where written is kept from one start to the next.
type note interface {
	load() ([]byte, error)
	save([]byte) error
}

// rootNote is an extended attribute of the box's root directory: on the box's disk, and no file in it.
type rootNote string

const rootNoteName = "trusted.boxrun.etc"

func (dir rootNote) load() ([]byte, error) {
	buf := make([]byte, 1024)
	n, err := syscall.Getxattr(string(dir), rootNoteName, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

func (dir rootNote) save(text []byte) error {
	return syscall.Setxattr(string(dir), rootNoteName, text, 0)
}

// setNames gives the box its name, and puts that and its name servers into /etc. A box whose /etc takes none of it comes up all the same.
func setNames(root *inroot.Root, s *wire.Setup, note note) error {
	e := etcFiles{root: root, note: note}
	name := e.update(s.Hostname, s.MachineID, s.Network)
	if name == "" {
		return nil
	}
	if err := syscall.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set host name %s: %w", name, err)
	}
	return nil
}

// update brings the files up to date, and gives the box's name: that in /etc/hostname.
func (e *etcFiles) update(name, machineID string, network *wire.Network) string {
	e.load()
	e.settleMachineID(machineID)
	if name != "" {
		e.settle("hostname", name+"\n")
		if own := e.ownHostname(); own != "" {
			name = own
		}
	}
	e.settle("hosts", hostsFile(name, network))
	if network != nil {
		servers := ""
		for _, d := range network.DNS {
			servers += "nameserver " + d + "\n"
		}
		e.settle("resolv.conf", servers)
	}
	e.save()
	return name
}

func hostsFile(name string, network *wire.Network) string {
	hosts := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	if name == "" {
		return hosts
	}
	address := "127.0.1.1"
	if network != nil && network.Address != "" {
		address, _, _ = strings.Cut(network.Address, "/")
	}
	return hosts + address + "\t" + name + "\n"
}

func (e *etcFiles) load() {
	text, err := e.note.load()
	if err != nil || json.Unmarshal(text, &e.written) != nil {
		e.written = nil
		return
	}
	e.noted = text
}

func (e *etcFiles) save() {
	text, err := json.Marshal(e.written)
	if err != nil || bytes.Equal(e.noted, text) {
		return
	}
	if err := e.note.save(text); err != nil {
		log.Printf("what was written into /etc is not noted: %v", err)
	}
}

// ownHostname is the name that somebody in the box has put into /etc/hostname; "" if it is the agent's, or none.
func (e *etcFiles) ownHostname() string {
	text, err := e.root.ReadSmall("/etc/hostname", 1024)
	if err != nil || digest(text) == e.written["hostname"] {
		return ""
	}
	name := strings.TrimSpace(string(text))
	if len(name) > 64 || strings.ContainsAny(name, " \t\r\n\x00#") {
		return ""
	}
	return name
}

// settleMachineID gives the box an id of its own at its first start: one that came with the image, all boxes of that image have. A box that was made before
// there was such an id keeps what it has.
func (e *etcFiles) settleMachineID(id string) {
	const name = "machine-id"
	if id == "" {
		return
	}
	if e.written != nil && e.written[name] == "" {
		if text, err := e.root.ReadSmall("/etc/"+name, 1024); err == nil && len(strings.TrimSpace(string(text))) > 0 {
			return
		}
	}
	e.settle(name, id+"\n")
}

// settle makes a file of /etc say content, unless it is the user's. One that is missing or empty, or a link to nothing (a resolver that
// does not run here), is nobody's.
func (e *etcFiles) settle(name, content string) {
	first := e.written == nil || e.written[name] == ""
	before, err := e.root.ReadSmall("/etc/"+name, 1<<16)
	isThere := err == nil && len(before) > 0 || err != nil && !errors.Is(err, syscall.ENOENT)
	isOurs := err == nil && digest(before) == e.written[name]
	if !first && isThere && !isOurs {
		return
	}
	if !isThere || string(before) != content || first {
		if err := writeEtc(e.root, name, content); err != nil {
			log.Printf("%v", err)
			return
		}
	}
	if e.written == nil {
		e.written = map[string]string{}
	}
	e.written[name] = digest([]byte(content))
}

// ours are the files that say what the agent wrote last, as names without a slash before them.
func (e *etcFiles) ours() []string {
	var names []string
	for name, written := range e.written {
		if text, err := e.root.ReadSmall("/etc/"+name, 1<<16); err == nil && digest(text) == written {
			names = append(names, "etc/"+name)
		}
	}
	return names
}

// digest tells whether a file was changed; nobody gains by making two that have the same.
func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// writeEtc replaces a file of /etc; if it is a symlink, the symlink itself. A file that is there is written over, which on a full disk
// needs no room. Nothing is cut off where nothing is left over, of a template's short names for one: to cut is more work than to write.
func writeEtc(root *inroot.Root, name, content string) error {
	fd, err := root.MkdirAll("/etc")
	if err != nil {
		return fmt.Errorf("make /etc in the box: %w", err)
	}
	defer syscall.Close(fd)
	const write = syscall.O_WRONLY | syscall.O_NOFOLLOW
	var size int64 // of what is written over
	if st, err := sys.Lstatat(fd, name); err == nil {
		if st.Mode&syscall.S_IFMT != syscall.S_IFREG || st.Nlink > 1 {
			_ = sys.Unlinkat(fd, name, 0)
		} else {
			size = st.Size
		}
	}
	ffd, err := sys.Openat(fd, name, write|syscall.O_CREAT, 0o644)
	if err != nil {
		return fmt.Errorf("write /etc/%s in the box: %w", name, err)
	}
	f := os.NewFile(uintptr(ffd), name)
	defer f.Close()
	if _, err := f.WriteAt([]byte(content), 0); err != nil {
		return fmt.Errorf("write /etc/%s in the box: %w", name, err)
	}
	if size > int64(len(content)) {
		if err := f.Truncate(int64(len(content))); err != nil {
			return fmt.Errorf("write /etc/%s in the box: %w", name, err)
		}
	}
	return nil
}
