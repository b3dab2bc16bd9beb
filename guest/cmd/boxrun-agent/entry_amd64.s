#include "textflag.h"

// entry is where the kernel enters the agent: see entry.go. On the stack: argc, argv, NULL, envp, NULL, ...
TEXT ·entry(SB),NOSPLIT|NOFRAME,$0
	MOVQ 0(SP), BX // argc
	CMPQ BX, $2
	JLT  start
	MOVQ 16(SP), AX // argv[1]
	CMPB (AX), $'@'
	JNE  start
	INCQ AX // what follows the @ is the argument
	MOVQ AX, 16(SP)

	LEAQ exe<>(SB), DI
	MOVL $0x80000, SI // O_RDONLY|O_CLOEXEC
	MOVL $2, AX       // open
	SYSCALL
	TESTQ AX, AX
	JLT  start
	MOVQ AX, R12

	LEAQ name<>(SB), DI
	MOVL $1, SI   // MFD_CLOEXEC
	MOVL $319, AX // memfd_create
	SYSCALL
	TESTQ AX, AX
	JLT  start
	MOVQ AX, R13

copy:
	MOVQ R13, DI
	MOVQ R12, SI
	XORL DX, DX
	MOVL $0x1000000, R10
	MOVL $40, AX // sendfile
	SYSCALL
	TESTQ AX, AX
	JLT  start
	JNE  copy

	MOVQ R13, DI
	LEAQ empty<>(SB), SI
	LEAQ 8(SP), DX          // argv
	LEAQ 16(SP)(BX*8), R10  // envp
	MOVL $0x1000, R8        // AT_EMPTY_PATH
	MOVL $322, AX           // execveat
	SYSCALL

start:
	JMP _rt0_amd64_linux(SB)

DATA exe<>+0(SB)/8, $"/proc/se"
DATA exe<>+8(SB)/7, $"lf/exe\x00"
GLOBL exe<>(SB), RODATA, $15

DATA name<>+0(SB)/8, $"boxrun-a"
DATA name<>+8(SB)/5, $"gent\x00"
GLOBL name<>(SB), RODATA, $13

DATA empty<>+0(SB)/1, $0
GLOBL empty<>(SB), RODATA, $1
