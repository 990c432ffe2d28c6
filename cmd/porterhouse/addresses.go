package main

import (
	"errors"
	"net"
	"strconv"
)

// addresses are some on loopback that are ours before anybody serves there, so that
// they can be told to others without somebody else taking them meanwhile.
type addresses map[string]net.Listener

// take makes the port ours, or a free one when it is 0.
func (a addresses) take(port uint) (address string, err error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.FormatUint(uint64(port), 10)))
	if err != nil {
		return "", err
	}
	a[l.Addr().String()] = l
	return l.Addr().String(), nil
}

// takeOrFree makes the port ours, or a free one when somebody else has it.
func (a addresses) takeOrFree(port uint) (address string, err error) {
	if address, err = a.take(port); err != nil {
		return a.take(0)
	}
	return address, nil
}

// open listens at an address, which is then no longer among those that close closes.
func (a addresses) open(address string) (net.Listener, error) {
	if l := a[address]; l != nil {
		delete(a, address)
		return l, nil
	}
	return net.Listen("tcp", address)
}

// close gives up those where nobody serves.
func (a addresses) close() error {
	var errs []error
	for address, l := range a {
		errs = append(errs, l.Close())
		delete(a, address)
	}
	return errors.Join(errs...)
}
