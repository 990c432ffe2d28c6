package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificates serves the certificate in two files, and the new one when the
// files change: without a restart, without a signal and without a goroutine. It
// looks at the files when a client connects, at most once in certificateLook.
// While the new pair cannot be used (half written, not matching) the old one
// is served, and the log says so once.
type certificates struct {
	files TLSPair
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	looked  time.Time
	pair    *tls.Certificate
	stamps  [2]fs.FileInfo // of the files that pair is from
	problem string         // of the last try to read them; "": none
	warned  time.Time      // when the log was last told that pair is about to expire
}

const (
	certificateLook  = time.Second
	expiryWarning    = 14 * 24 * time.Hour // how long before its end a certificate is worth a warning
	expiryRepetition = 24 * time.Hour
)

// serverTLS is the TLS of a listener whose certificate is in the files of pair.
func serverTLS(pair TLSPair, log *slog.Logger) (*tls.Config, error) {
	c, err := openCertificates(pair, log, time.Now)
	if err != nil {
		return nil, err
	}
	return c.config(), nil
}

// openCertificates reads the files for the first time, and fails when it cannot.
func openCertificates(files TLSPair, log *slog.Logger, now func() time.Time) (*certificates, error) {
	c := &certificates{files: files, log: log, now: now, looked: now()}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c.warn()
	return c, nil
}

func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.get, // http.Server adds the protocols
	}
}

// get is called for each handshake.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked).Abs() >= certificateLook {
		c.looked = now
		c.reload()
		c.warn()
	}
	return c.pair, nil
}

// reload reads the files when they are not those of the pair: each time, as long
// as they are broken.
func (c *certificates) reload() {
	if c.unchanged() {
		c.problem = ""
		return
	}
	if err := c.load(); err != nil {
		if problem := err.Error(); problem != c.problem {
			c.problem = problem
			c.log.Error("the new certificate cannot be used, the old one is served", "error", err)
		}
		return
	}
	c.problem = ""
	c.log.Info("the certificate was read anew", "file", c.files.Cert, "expires", c.pair.Leaf.NotAfter)
}

// unchanged reports whether the files are those that pair was read from.
func (c *certificates) unchanged() bool {
	for i, path := range []string{c.files.Cert, c.files.Key} {
		info, err := os.Stat(path)
		was := c.stamps[i]
		if err != nil || !os.SameFile(was, info) || was.Size() != info.Size() || !was.ModTime().Equal(info.ModTime()) {
			return false
		}
	}
	return true
}

// load replaces the pair by what is in the files.
func (c *certificates) load() error {
	cert, certStamp, err := readPEM(c.files.Cert, os.Open)
	if err != nil {
		return err
	}
	key, keyStamp, err := readPEM(c.files.Key, openPrivate)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.files.Cert, c.files.Key, err)
	}
	c.pair, c.stamps, c.warned = &pair, [2]fs.FileInfo{certStamp, keyStamp}, time.Time{}
	return nil
}

// maxPEM is the longest file of certificates, in bytes.
const maxPEM = 1 << 20

func readPEM(path string, open func(string) (*os.File, error)) ([]byte, fs.FileInfo, error) {
	file, err := open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxPEM+1))
	if err == nil && len(text) > maxPEM {
		err = errors.New("it is too large for a certificate")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, info, nil
}

// warn tells, once a day, that the certificate ends soon or has ended.
func (c *certificates) warn() {
	now, end := c.now(), c.pair.Leaf.NotAfter
	if end.Sub(now) > expiryWarning || now.Sub(c.warned) < expiryRepetition {
		return
	}
	c.warned = now
	if now.After(end) {
		c.log.Error("the certificate has expired: clients refuse it", "file", c.files.Cert, "expired", end)
		return
	}
	c.log.Warn("the certificate expires soon: replace its files, they are noticed", "file", c.files.Cert, "expires", end)
}
