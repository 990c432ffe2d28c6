//go:build unix

package clickhouse

import (
	"net"
	"syscall"
)

// isQuiet reports whether an idle connection is still open and says nothing, as
// it should between two requests. One that the server has closed would take a
// statement and never tell whether it ran.
func isQuiet(c net.Conn) bool {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, err := syscall.Read(int(fd), one[:]) // the socket does not block
		quiet = err == syscall.EAGAIN
		return true
	})
	return err == nil && quiet
}
