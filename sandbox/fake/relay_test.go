package fake

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

// A relay fails in each of its ways, and passes again after that.
func TestRelay(t *testing.T) {
	t.Parallel()
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	r, err := StartRelay(echo.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	says := func(c net.Conn, within time.Duration) error {
		if _, err := io.WriteString(c, "hello\n"); err != nil {
			return err
		}
		c.SetReadDeadline(time.Now().Add(within))
		_, err := bufio.NewReader(c).ReadString('\n')
		return err
	}
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", r.Address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := says(c, time.Minute); err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := dial()
	r.Hang()
	if err := says(before, 300*time.Millisecond); err == nil {
		t.Error("it hangs, and something passed")
	}
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	cut := dial()
	r.Cut()
	if err := says(cut, time.Minute); err == nil {
		t.Error("it was cut, and something passed")
	}
	dial()
	r.Stop()
	if c, err := net.Dial("tcp", r.Address); err == nil {
		c.Close()
		t.Error("it was stopped, and somebody listens")
	}
	address := r.Address
	if err := r.Resume(); err != nil || r.Address != address {
		t.Fatalf("it is at %s, %v", r.Address, err)
	}
	kept := dial()
	r.Lead("127.0.0.1:1") // where nobody listens
	if err := says(kept, time.Minute); err != nil {
		t.Errorf("what passes already is led elsewhere: %v", err)
	}
	c, err := net.Dial("tcp", r.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := says(c, time.Minute); err == nil {
		t.Error("it leads elsewhere, and something passed")
	}
}
