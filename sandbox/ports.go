package sandbox

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
)

// ports are the addresses that a server listens on, each host:port.
type ports struct{ http, native string }

// freePorts finds two free ports. They are free when it looks; the server has to
// be faster than anybody else who looks for one.
func freePorts() (ports, error) {
	http, err := listen()
	if err != nil {
		return ports{}, err
	}
	defer http.Close() // only now, so that the two differ
	native, err := listen()
	if err != nil {
		return ports{}, err
	}
	defer native.Close()
	return ports{http.Addr().String(), native.Addr().String()}, nil
}

// The ports that are tried. None of them is one that a system gives to whoever asks for
// any, or to an outgoing connection (Linux: 32768 and up): somebody could have it when the
// server comes back from a restart.
const (
	leastPort = 10_000
	somePorts = 20_000
)

// listen listens on one of loopback's ports that is free.
func listen() (l net.Listener, err error) {
	for range 100 {
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", leastPort+rand.IntN(somePorts))); err == nil {
			return l, nil
		}
	}
	return nil, err
}

// port returns the port of a host:port.
func port(address string) string {
	return address[strings.LastIndexByte(address, ':')+1:]
}
