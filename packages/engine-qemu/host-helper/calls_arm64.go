package main

import "syscall"

const (
	sysMemfdCreate = 279
	auditArch      = 0xc00000b7
	// foreignCalls: there is no second table of numbers.
	foreignCalls = 0xffffffff
)

var modeCalls = []modeCall{
	{number: syscall.SYS_FCHMOD, modeArgument: 1},
	{number: syscall.SYS_FCHMODAT, modeArgument: 2},
	{number: sysFchmodat2, modeArgument: 2},
	{number: syscall.SYS_OPENAT, modeArgument: 3},
	{number: syscall.SYS_MKNODAT, modeArgument: 2, makesNodes: true},
}
