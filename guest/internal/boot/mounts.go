package boot

import (
	"fmt"
	"os"
	"strings"
)

// mounted is one line of /proc/self/mounts.
type mounted struct{ target, kind string }

// listMounts gives what is mounted, in the order in which it was.
func listMounts() ([]mounted, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("read what is mounted: %w", err)
	}
	var list []mounted
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 3 {
			list = append(list, mounted{unescape.Replace(fields[1]), fields[2]})
		}
	}
	return list, nil
}

// unescape undoes what the kernel does to paths in /proc/self/mounts.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
