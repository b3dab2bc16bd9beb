package wire

import "unicode/utf8"

// Code says what kind of failure an answer of status 400 or more tells of.
type Code string

// The codes of failures.
const (
	BadRequest Code = "BAD_REQUEST"
	NotFound   Code = "NOT_FOUND"
	Exists     Code = "EXISTS"
	NotSetup   Code = "NOT_SETUP"
	Finished   Code = "FINISHED"
	// Refused: nothing listens on a port.
	Refused Code = "REFUSED"
	IO      Code = "IO"
)

// Error is a failure as the host gets it.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Hello answers GET /hello.
type Hello struct {
	Agent    string   `json:"agent"`
	Protocol int      `json:"protocol"`
	BootID   string   `json:"boot_id"`
	Setup    bool     `json:"setup"`
	Execs    []string `json:"execs"`
}

// OK answers what has nothing to tell: most requests, the first of each box among them. Where the CPU is emulated, finding out what a struct consists of is felt.
const OK = `{"ok":true}`

// Clock is the body of POST /clock. UnixNS is decimal; Entropy is base64 in JSON.
type Clock struct {
	UnixNS  string `json:"unix_ns"`
	Entropy []byte `json:"entropy"`
}

// Setup is the body of POST /setup. Workdir is made if it is missing. MachineID, 32 hexadecimal digits, becomes /etc/machine-id; "" leaves that alone.
type Setup struct {
	Hostname  string   `json:"hostname"`
	MachineID string   `json:"machine_id"`
	UnixNS    string   `json:"unix_ns"`
	Entropy   []byte   `json:"entropy"`
	Modules   []string `json:"modules"`
	Root      Root     `json:"root"`
	// Bulk is the block device for transfers (package bulk); "" if there is none.
	Bulk    string   `json:"bulk,omitempty"`
	Volumes []Volume `json:"volumes"`
	Network *Network `json:"network"`
	Workdir string   `json:"workdir"`
	// Template: nobody's box yet. The VM is saved so, and a setup without it makes each that is resumed from it a box.
	Template bool `json:"template,omitempty"`
}

// Root names the block devices of the read-only squashfs and of the writable ext4.
type Root struct {
	Image string `json:"image"`
	Disk  string `json:"disk"`
}

// Volume is a virtiofs share.
type Volume struct {
	Tag       string `json:"tag"`
	GuestPath string `json:"guest_path"`
	ReadOnly  bool   `json:"readonly"`
}

// Network is the address of the box's only interface, IPv4.
type Network struct {
	Address string   `json:"address"`
	Gateway string   `json:"gateway"`
	DNS     []string `json:"dns"`
	MAC     string   `json:"mac"`
}

// TTY is a terminal's size in characters.
type TTY struct {
	Cols uint16 `json:"cols"`
	Rows uint16 `json:"rows"`
}

// ExecStart begins the body of PUT /execs/{id}.
type ExecStart struct {
	Argv      []string          `json:"argv"`
	Env       map[string]string `json:"env"`
	Cwd       string            `json:"cwd"`
	User      string            `json:"user"`
	Stdin     bool              `json:"stdin"`
	TTY       *TTY              `json:"tty"`
	TimeoutMS *int64            `json:"timeout_ms"`
}

// Forget is the body of POST /execs/forget.
type Forget struct {
	IDs []string `json:"ids"`
}

// ExecState is what is known of an exec.
type ExecState struct {
	ID    string `json:"id"`
	State string `json:"state"` // running or exited
	PID   int    `json:"pid,omitempty"`
	Exit  *Exit  `json:"exit,omitempty"`
	// Stdin is how many bytes of its standard input were taken; missing if it has none.
	Stdin *uint64 `json:"stdin,omitempty"`
}

// Reason says how an exec came to its end.
type Reason string

// The reasons of an exec's end.
const (
	Exited     Reason = "exited"
	Signaled   Reason = "signaled"
	Timeout    Reason = "timeout"
	Canceled   Reason = "canceled"
	NotStarted Reason = "not_started"
)

// Exit is an exec's end. Code is 0 to 255; a signal n gives 128+n.
type Exit struct {
	Code    int    `json:"code"`
	Reason  Reason `json:"reason"`
	Signal  string `json:"signal,omitempty"`
	Message string `json:"message,omitempty"`
}

// Signal is the body of POST /execs/{id}/signal.
type Signal struct {
	Signal string `json:"signal"`
}

// PowerOff is the body of POST /poweroff. With grace_ms the answer, a PoweredOff, comes when every process has ended; without, which
// is how an older host asks, it comes at once and the grace is 2 s.
type PowerOff struct {
	GraceMS *int64 `json:"grace_ms"`
}

// PoweredOff says who had to be killed.
type PoweredOff struct {
	OK     bool     `json:"ok"`
	Killed []Killed `json:"killed"`
}

// Killed is a process that did not end of SIGTERM.
type Killed struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
}

// Cancel is the body of POST /execs/{id}/cancel. Without grace_ms it is 5000.
type Cancel struct {
	GraceMS *int64 `json:"grace_ms"`
}

// Change is a line of GET /watch. Names are relative to what is watched, which is "" itself; those that are not UTF-8 come as base64.
type Change struct {
	Event   string  `json:"event"` // created, changed, removed, renamed or overflow
	Name    *string `json:"name,omitempty"`
	NameB64 []byte  `json:"name_b64,omitempty"`
	From    *string `json:"from,omitempty"` // of renamed
	FromB64 []byte  `json:"from_b64,omitempty"`
	Dir     bool    `json:"dir,omitempty"`
	Reason  string  `json:"reason,omitempty"` // of overflow
}

// TextOrBytes is a name as JSON can have it.
func TextOrBytes(s string) (*string, []byte) {
	if utf8.ValidString(s) {
		return &s, nil
	}
	return nil, []byte(s)
}

// Entry is one name in a directory. A name or target that is not UTF-8 comes as base64 in NameB64 or TargetB64.
type Entry struct {
	Name      *string `json:"name,omitempty"`
	NameB64   []byte  `json:"name_b64,omitempty"`
	Type      string  `json:"type"` // file, dir, symlink or other
	Size      int64   `json:"size"`
	Mode      string  `json:"mode"` // octal, four digits: 0644
	MTime     int64   `json:"mtime"`
	UID       uint32  `json:"uid"`
	GID       uint32  `json:"gid"`
	Target    *string `json:"target,omitempty"`
	TargetB64 []byte  `json:"target_b64,omitempty"`
}

// Usage answers GET /usage. Counters count from the VM's start.
type Usage struct {
	CPUMS       uint64 `json:"cpu_ms"` // of all CPUs together
	MemoryUsed  uint64 `json:"memory_used"`
	MemoryTotal uint64 `json:"memory_total"`
	DiskUsed    uint64 `json:"disk_used"`
	DiskSize    uint64 `json:"disk_size"`
	// Network is missing where there is none.
	Network   *Traffic `json:"network,omitempty"`
	Processes uint32   `json:"processes"`
}

// Traffic is what went over all network interfaces, in bytes.
type Traffic struct {
	Received uint64 `json:"received"`
	Sent     uint64 `json:"sent"`
}
