package exec

import (
	"fmt"
	"path"
	"sort"
	"strings"
	"syscall"

	"boxrun.dev/guest/internal/inroot"
	"boxrun.dev/guest/internal/wire"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// startError is why a program could not be started: code 127 if something is missing, 126 if it is there but cannot run.
type startError struct {
	code    int
	message string
}

func (e *startError) exit() wire.Exit {
	return wire.Exit{Code: e.code, Reason: wire.NotStarted, Message: wire.Text(e.message)}
}

func missing(format string, args ...any) *startError {
	return &startError{127, fmt.Sprintf(format, args...)}
}

func unusable(format string, args ...any) *startError {
	return &startError{126, fmt.Sprintf(format, args...)}
}

// environment adds what is missing to what was given, and gives it sorted, so that equal requests run equally.
func environment(given map[string]string, home string, tty bool) (list []string, searchPath string) {
	env := map[string]string{"PATH": defaultPath, "HOME": home}
	if tty {
		env["TERM"] = "xterm-256color"
	}
	for k, v := range given {
		env[k] = v
	}
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	sort.Strings(list)
	return list, env["PATH"]
}

// checkDirectory tells a missing working directory from the other reasons for which execve(2) may say ENOENT.
func checkDirectory(root *inroot.Root, dir string) *startError {
	st, err := root.Stat(dir)
	switch {
	case err == syscall.ENOENT:
		return missing("no such directory: %s", dir)
	case err == syscall.ENOTDIR || err == nil && st.Mode&syscall.S_IFMT != syscall.S_IFDIR:
		return missing("not a directory: %s", dir)
	case err != nil:
		return missing("open directory %s: %v", dir, err)
	}
	return nil
}

// lookupProgram finds what argv[0] means: a path if it has a slash, else the first executable file in searchPath.
func lookupProgram(root *inroot.Root, name, cwd, searchPath string) (string, *startError) {
	if name == "" {
		return "", missing("exec: the command is empty")
	}
	if strings.Contains(name, "/") {
		full := under(cwd, name)
		switch err := executable(root, full); err {
		case nil, syscall.ELOOP: // a link of /proc to a file is for the kernel to follow
			return full, nil
		case syscall.ENOENT, syscall.ENOTDIR:
			return "", missing("exec: %q: no such file", name)
		default:
			return "", unusable("exec: %q: %v", name, err)
		}
	}
	var refused error
	for _, dir := range strings.Split(searchPath, ":") {
		full := under(cwd, dir+"/"+name)
		if dir == "" {
			full = under(cwd, name)
		}
		err := executable(root, full)
		if err == nil {
			return full, nil
		}
		if err == syscall.EACCES {
			refused = fmt.Errorf("exec: %q: permission denied (%s is not executable)", name, full)
		}
	}
	if refused != nil {
		return "", unusable("%v", refused)
	}
	return "", missing("exec: %q: not found in PATH (%s)", name, searchPath)
}

// under joins without cleaning: "a/.." need not be "." where a is a symlink.
func under(cwd, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return strings.TrimSuffix(cwd, "/") + "/" + name
}

func executable(root *inroot.Root, name string) error {
	st, err := root.Stat(name)
	if err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG || st.Mode&0o111 == 0 {
		return syscall.EACCES
	}
	return nil
}

// explain says why the kernel did not start a program that was found. It cannot tell which step failed: becoming the
// user, entering the directory or executing.
func explain(root *inroot.Root, name, full, cwd string, err error) *startError {
	switch err {
	case syscall.ENOENT, syscall.ENOTDIR:
		if interpreter := shebang(root, full); interpreter != "" {
			return missing("exec: %q: its interpreter %s does not exist", name, interpreter)
		}
		return missing("exec: %q: no such file, or its loader does not exist", name)
	case syscall.ENOEXEC:
		return unusable("exec: %q: exec format error (neither a program for this machine nor a script that begins with #!)", name)
	case syscall.EACCES, syscall.EPERM:
		return unusable("exec: %q in %s: permission denied", name, cwd)
	default:
		return unusable("exec: %q: %v", name, err)
	}
}

func shebang(root *inroot.Root, full string) string {
	head, err := root.ReadSmall(full, 256)
	if err != nil || !strings.HasPrefix(string(head), "#!") {
		return ""
	}
	line, _, _ := strings.Cut(string(head[2:]), "\n")
	if fields := strings.Fields(line); len(fields) > 0 {
		return fields[0]
	}
	return ""
}
