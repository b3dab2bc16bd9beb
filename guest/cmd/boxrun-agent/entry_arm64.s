#include "textflag.h"

// entry is where the kernel enters the agent: see entry.go. On the stack: argc, argv, NULL, envp, NULL, ...
TEXT ·entry(SB),NOSPLIT|NOFRAME,$0
	MOVD 0(RSP), R19 // argc
	CMP  $2, R19
	BLT  start
	MOVD 16(RSP), R9 // argv[1]
	MOVBU (R9), R10
	CMP  $'@', R10
	BNE  start
	ADD  $1, R9 // what follows the @ is the argument
	MOVD R9, 16(RSP)

	MOVD $-100, R0 // AT_FDCWD
	MOVD $exe<>(SB), R1
	MOVD $0x80000, R2 // O_RDONLY|O_CLOEXEC
	MOVD $56, R8      // openat
	SVC
	CMP  $0, R0
	BLT  start
	MOVD R0, R20

	MOVD $name<>(SB), R0
	MOVD $1, R1   // MFD_CLOEXEC
	MOVD $279, R8 // memfd_create
	SVC
	CMP  $0, R0
	BLT  start
	MOVD R0, R21

copy:
	MOVD R21, R0
	MOVD R20, R1
	MOVD $0, R2
	MOVD $0x1000000, R3
	MOVD $71, R8 // sendfile
	SVC
	CMP  $0, R0
	BLT  start
	BNE  copy

	MOVD R21, R0
	MOVD $empty<>(SB), R1
	ADD  $8, RSP, R2        // argv
	ADD  $16, RSP, R3
	ADD  R19<<3, R3, R3     // envp
	MOVD $0x1000, R4        // AT_EMPTY_PATH
	MOVD $281, R8           // execveat
	SVC

start:
	B _rt0_arm64_linux(SB)

DATA exe<>+0(SB)/8, $"/proc/se"
DATA exe<>+8(SB)/7, $"lf/exe\x00"
GLOBL exe<>(SB), RODATA, $15

DATA name<>+0(SB)/8, $"boxrun-a"
DATA name<>+8(SB)/5, $"gent\x00"
GLOBL name<>(SB), RODATA, $13

DATA empty<>+0(SB)/1, $0
GLOBL empty<>(SB), RODATA, $1
