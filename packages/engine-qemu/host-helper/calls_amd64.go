package main

import "syscall"

const (
	sysMemfdCreate = 319
	auditArch      = 0xc000003e
	// foreignCalls: from here on the numbers are those of the x32 ABI, by which the same calls could be made under other numbers.
	foreignCalls = 0x40000000
)

var modeCalls = []modeCall{
	{number: syscall.SYS_CHMOD, modeArgument: 1},
	{number: syscall.SYS_FCHMOD, modeArgument: 1},
	{number: syscall.SYS_FCHMODAT, modeArgument: 2},
	{number: sysFchmodat2, modeArgument: 2},
	{number: syscall.SYS_OPEN, modeArgument: 2},
	{number: syscall.SYS_CREAT, modeArgument: 1},
	{number: syscall.SYS_OPENAT, modeArgument: 3},
	{number: syscall.SYS_MKNOD, modeArgument: 1, makesNodes: true},
	{number: syscall.SYS_MKNODAT, modeArgument: 2, makesNodes: true},
}
