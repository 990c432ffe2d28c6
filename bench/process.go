package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What Linux tells of a process, from /proc.

// userHZ is the unit of the times in /proc/PID/stat, on every Linux.
const userHZ = 100

// cpuTime is the user and system time that a process has used; 0 for pid 0.
func cpuTime(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("the server is gone: %w", err)
	}
	// The second field is the name in parentheses, which may hold spaces.
	name := strings.LastIndexByte(string(stat), ')')
	fields := strings.Fields(string(stat[name+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / userHZ, errors.Join(err1, err2)
}

// ownCPUTime is the same of this process.
func ownCPUTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// The two figures of memory, as /proc/PID/status names them.
const (
	residentNow  = "VmRSS:"
	residentPeak = "VmHWM:"
)

// memory is a figure of a process's memory, in bytes.
func memory(pid int, figure string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, figure); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", pid, figure)
}

// listener finds the process that listens where u says, so that nobody has to
// tell: 0 when it is on another machine or another person's.
func listener(u *url.URL) (int, error) {
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0, nil
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return 0, err
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		inode, err := listeningSocket(table, port)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		if inode != "" {
			return socketOwner(inode)
		}
	}
	return 0, nil
}

// listeningSocket finds the inode of the socket that listens on port.
func listeningSocket(table string, port int) (inode string, err error) {
	f, err := os.Open(table)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const listening = "0A"
	local := fmt.Sprintf(":%04X", port)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		field := strings.Fields(lines.Text())
		if len(field) > 9 && strings.HasSuffix(field[1], local) && field[3] == listening {
			return field[9], nil
		}
	}
	return "", lines.Err()
}

// socketOwner finds the process that has the socket open. Processes come and
// go, and others' cannot be looked into: those are passed over.
func socketOwner(inode string) (int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		if to, err := os.Readlink(file); err == nil && to == "socket:["+inode+"]" {
			return strconv.Atoi(strings.Split(file, "/")[2])
		}
	}
	return 0, nil
}
