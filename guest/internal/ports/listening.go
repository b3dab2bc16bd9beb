package ports

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"boxrun.dev/guest/internal/wire"
)

// maxListening bounds the answer.
const maxListening = 1024

// Listening gives the TCP ports on which something of the box listens, by port and address.
func Listening() ([]wire.ListeningPort, error) {
	found := []socket{}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		sockets, err := listeningIn(name)
		// Without IPv6 there is no such file.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		found = append(found, sockets...)
	}
	slices.SortFunc(found, func(a, b socket) int {
		return cmp.Or(cmp.Compare(a.address.Port(), b.address.Port()), a.address.Addr().Compare(b.address.Addr()))
	})
	found = slices.CompactFunc(found, func(a, b socket) bool { return a.address == b.address })
	if len(found) > maxListening {
		found = found[:maxListening]
	}
	owners := ownersOf(found)
	listening := make([]wire.ListeningPort, len(found))
	for i, s := range found {
		listening[i] = wire.ListeningPort{Port: s.address.Port(), Address: s.address.Addr().String()}
		if pid, ok := owners[s.inode]; ok {
			listening[i].PID = pid
			listening[i].Process = processName(pid)
		}
	}
	return listening, nil
}

type socket struct {
	address netip.AddrPort
	inode   string
}

// stateListen is TCP_LISTEN as /proc/net/tcp has it.
const stateListen = "0A"

func listeningIn(name string) ([]socket, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []socket
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// sl, local_address, rem_address, st, tx_queue:rx_queue, tr:tm->when, retrnsmt, uid, timeout, inode
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != stateListen {
			continue
		}
		if address, ok := parseAddress(fields[1]); ok {
			found = append(found, socket{address, fields[9]})
		}
	}
	return found, lines.Err()
}

// parseAddress reads 0100007F:1F90: the address in words of 4 bytes, each in the byte order of the machine, which is little-endian on all that
// the agent is built for.
func parseAddress(text string) (netip.AddrPort, bool) {
	host, portText, ok := strings.Cut(text, ":")
	port, portErr := strconv.ParseUint(portText, 16, 16)
	b, hexErr := hex.DecodeString(host)
	if !ok || portErr != nil || hexErr != nil {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	address, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(address.Unmap(), uint16(port)), ok
}

// ownersOf finds a process for each socket, by inode.
func ownersOf(sockets []socket) map[string]int {
	wanted := map[string]bool{}
	for _, s := range sockets {
		wanted[s.inode] = true
	}
	owners := map[string]int{}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return owners
	}
	for _, process := range processes {
		pid, err := strconv.Atoi(process.Name())
		if err != nil {
			continue
		}
		if len(owners) == len(wanted) {
			break
		}
		dir := "/proc/" + process.Name() + "/fd/"
		// It may end at any time.
		files, _ := os.ReadDir(dir)
		for _, file := range files {
			target, _ := os.Readlink(dir + file.Name())
			inode, ok := strings.CutPrefix(target, "socket:[")
			inode = strings.TrimSuffix(inode, "]")
			if ok && wanted[inode] && owners[inode] == 0 {
				owners[inode] = pid
			}
		}
	}
	return owners
}

func processName(pid int) string {
	name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return wire.Text(strings.TrimSuffix(string(name), "\n"))
}
