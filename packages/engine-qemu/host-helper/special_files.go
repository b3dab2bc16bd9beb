package main

import "syscall"

// specialFilesFilter is a system call filter (classic BPF, seccomp(2)) under which no device node and no setuid or setgid
// file can be made, whoever runs under it: root in a box owns what it makes in a volume, and a host's user must not find a way to
// root there. The calls fail with EPERM, which is what the box sees.
//
// A mode is an argument by value, and so can be looked at. Where it lies in memory (openat2, io_uring) the call is answered as by a
// kernel that doesn't have it; programs fall back to the older ones.
func specialFilesFilter() []syscall.SockFilter {
	const (
		setIDBits  = syscall.S_ISUID | syscall.S_ISGID
		kindMask   = syscall.S_IFMT
		refuse     = seccompErrno | uint32(syscall.EPERM)
		notThere   = seccompErrno | uint32(syscall.ENOSYS)
		archOffset = 4
		callOffset = 0
	)
	f := assembler{}
	f.load(archOffset)
	f.unlessEqual(auditArch, seccompKillProcess)
	f.load(callOffset)
	f.ifAtLeast(foreignCalls, refuse)
	for _, call := range modeCalls {
		f.ifCall(call.number, func(g *assembler) {
			g.load(16 + 8*call.modeArgument)
			g.ifAnyBit(setIDBits, refuse)
			if call.makesNodes {
				g.and(kindMask)
				g.ifEqual(syscall.S_IFCHR, refuse)
				g.ifEqual(syscall.S_IFBLK, refuse)
			}
			g.ret(seccompAllow)
		})
	}
	for _, number := range hiddenModeCalls {
		f.ifEqual(number, notThere)
	}
	f.ret(seccompAllow)
	return f.program
}

// modeCall is a system call that takes a file's mode, and perhaps its kind, by value.
type modeCall struct {
	number       uint32
	modeArgument uint32
	makesNodes   bool
}

// hiddenModeCalls take modes that a filter can't see.
var hiddenModeCalls = []uint32{sysOpenat2, sysIoUringSetup}

// The same on every architecture.
const (
	sysFchmodat2    = 452
	sysOpenat2      = 437
	sysIoUringSetup = 425
)

const (
	seccompAllow       = 0x7fff0000
	seccompErrno       = 0x00050000
	seccompKillProcess = 0x80000000
)

// assembler writes the few instructions that such a filter needs, in the order in which they run.
type assembler struct{ program []syscall.SockFilter }

func (a *assembler) add(code int, jt, jf uint8, k uint32) {
	a.program = append(a.program, syscall.SockFilter{Code: uint16(code), Jt: jt, Jf: jf, K: k})
}

// load takes the 32 bits at this offset of struct seccomp_data.
func (a *assembler) load(offset uint32) {
	a.add(syscall.BPF_LD|syscall.BPF_W|syscall.BPF_ABS, 0, 0, offset)
}
func (a *assembler) and(mask uint32) {
	a.add(syscall.BPF_ALU|syscall.BPF_AND|syscall.BPF_K, 0, 0, mask)
}
func (a *assembler) ret(verdict uint32) { a.add(syscall.BPF_RET|syscall.BPF_K, 0, 0, verdict) }

// ifJump returns the verdict if the comparison holds, and goes on if not.
func (a *assembler) ifJump(comparison int, k, verdict uint32) {
	a.add(syscall.BPF_JMP|comparison|syscall.BPF_K, 0, 1, k)
	a.ret(verdict)
}

func (a *assembler) ifEqual(k, verdict uint32)   { a.ifJump(syscall.BPF_JEQ, k, verdict) }
func (a *assembler) ifAtLeast(k, verdict uint32) { a.ifJump(syscall.BPF_JGE, k, verdict) }
func (a *assembler) ifAnyBit(k, verdict uint32)  { a.ifJump(syscall.BPF_JSET, k, verdict) }

func (a *assembler) unlessEqual(k, verdict uint32) {
	a.add(syscall.BPF_JMP|syscall.BPF_JEQ|syscall.BPF_K, 1, 0, k)
	a.ret(verdict)
}

// ifCall runs the body, which must return on every path, for one system call; its number is what was loaded last.
func (a *assembler) ifCall(number uint32, body func(*assembler)) {
	inner := assembler{}
	body(&inner)
	a.add(syscall.BPF_JMP|syscall.BPF_JEQ|syscall.BPF_K, 0, uint8(len(inner.program)), number)
	a.program = append(a.program, inner.program...)
}
