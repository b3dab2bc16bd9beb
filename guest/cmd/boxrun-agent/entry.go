package main

// entry takes the place of the program's usual first instruction (the linker's -E), before there is a Go runtime. Where the first
// argument begins with @, it copies the program into memory, executes the copy, and the copy's first argument is without the @. If
// anything of that fails, the program starts where it is.
//
// That is for a program on a file system of the host's (virtiofs): mapped from there, each part of it is a request to the host when it is
// first touched. Read in one go they are fewer and larger, and the first process of a box does not hang on a share of which it is the only
// user.
func entry()
