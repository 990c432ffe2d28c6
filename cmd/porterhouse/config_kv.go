package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"porterhouse"
	"porterhouse/gate"
	"porterhouse/kv"
)

// KVConfig says where it is kept whose each account is: in one of these. None of
// them is a file beside the audit record.
type KVConfig struct {
	File   string      `yaml:"file" kind:"path"` // of one process
	Redis  RedisConfig `yaml:"redis"`            // or Valkey, for several processes
	Memory bool        `yaml:"memory"`           // forgotten with the process
}

// RedisConfig says how to reach a Redis; see kv.RedisConfig.
type RedisConfig struct {
	URL            string             `yaml:"url"`
	Password       porterhouse.Secret `yaml:"password"`
	Prefix         string             `yaml:"prefix"`
	CA             string             `yaml:"ca" kind:"path"` // certificates to trust instead of the system's
	AllowPlaintext bool               `yaml:"allow_plaintext"`
}

// kvFile is the name of the default, beside the audit record.
const kvFile = "porterhouse.kv"

// file is where the file is, when there is one.
func (c KVConfig) file(audit AuditConfig) string {
	if c.File != "" || c.Memory || c.Redis.URL != "" {
		return c.File
	}
	return filepath.Join(filepath.Dir(audit.File), kvFile)
}

// open opens the store. now is not the clock of a Redis, which has its own.
func (c KVConfig) open(audit AuditConfig, now func() time.Time) (kv.Store, error) {
	switch {
	case c.Memory:
		return kv.OpenMemory(kv.MemoryConfig{Now: now})
	case c.Redis.URL != "":
		return c.Redis.open()
	}
	return kv.OpenFile(c.file(audit), kv.FileConfig{Now: now})
}

// windows counts what the rules allow in a window of time: over all replicas where they
// share a store, else in this process alone.
func (c KVConfig) windows(store kv.Store, log *slog.Logger, now func() time.Time) gate.WindowsConfig {
	config := gate.WindowsConfig{Log: log, Now: now}
	if c.Redis.URL != "" {
		config.Store = store
	}
	return config
}

// look opens the store for a command that only looks: a file that is not there is
// not made, and one that a server has open is left to it. What forgets does not know
// whom our accounts were made for.
func (c KVConfig) look(audit AuditConfig, log *slog.Logger) (store kv.Store, forgets bool, err error) {
	if file := c.file(audit); file != "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			store, err := kv.OpenMemory(kv.MemoryConfig{})
			return store, false, err
		}
	}
	store, err = c.open(audit, time.Now)
	if errors.Is(err, kv.ErrInUse) {
		log.Warn("the server has the store open, so whose each account is already, is not known here", "file", c.file(audit))
		store, err = kv.OpenMemory(kv.MemoryConfig{})
		return store, true, err
	}
	return store, c.Memory, err
}

func (c RedisConfig) open() (kv.Store, error) {
	config := kv.RedisConfig{URL: c.URL, Password: c.Password, Prefix: c.Prefix, InsecurePlaintext: c.AllowPlaintext}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, err
		}
		config.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
		if !config.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM form", c.CA)
		}
	}
	return kv.OpenRedis(config)
}
