package sandbox

import (
	"net"
	"strings"
)

// loopback is where a server may listen, with a port still to be found.
const loopback = "127.0.0.1:0"

// ports are the addresses that a server listens on, each host:port.
type ports struct{ http, native string }

// freePorts finds two free ports. They are free when it looks; the server has to
// be faster than anybody else who looks for one.
func freePorts() (ports, error) {
	http, err := net.Listen("tcp", loopback)
	if err != nil {
		return ports{}, err
	}
	defer http.Close() // only now, so that the two differ
	native, err := net.Listen("tcp", loopback)
	if err != nil {
		return ports{}, err
	}
	defer native.Close()
	return ports{http.Addr().String(), native.Addr().String()}, nil
}

// port returns the port of a host:port.
func port(address string) string {
	return address[strings.LastIndexByte(address, ':')+1:]
}
