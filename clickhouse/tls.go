package clickhouse

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
)

// TLSFiles names the PEM files of a TLS connection to ClickHouse.
type TLSFiles struct {
	CA         string       // certificates to trust instead of the system's; "": the system's
	Cert, Key  string       // the client certificate and its key; both or neither
	ServerName string       // the name in ClickHouse's certificate; "": the host of the URL
	Log        *slog.Logger // where a certificate that cannot be reloaded is reported; nil: nowhere
}

// Config reads the files. The client certificate is read again when its files
// change, for the connections made from then on; while the new ones cannot be
// used, the old certificate stays in use and the log says so.
func (f TLSFiles) Config() (*tls.Config, error) {
	config := &tls.Config{ServerName: f.ServerName, MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("clickhouse: reading the CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("clickhouse: %s holds no certificate in PEM form", f.CA)
		}
	}
	if f.Cert == "" && f.Key == "" {
		return config, nil
	}
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("clickhouse: a client certificate needs both its certificate and its key")
	}
	reloading := &reloadingCertificate{files: f}
	if err := reloading.load(); err != nil {
		return nil, fmt.Errorf("clickhouse: the client certificate: %w", err)
	}
	config.GetClientCertificate = reloading.get
	return config, nil
}

// reloadingCertificate is a client certificate that follows its files.
type reloadingCertificate struct {
	files TLSFiles

	mu        sync.Mutex
	current   *tls.Certificate
	cert, key fs.FileInfo // as they were when last read
}

// get implements tls.Config.GetClientCertificate. It is called once a handshake.
func (r *reloadingCertificate) get(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.load(); err != nil && r.files.Log != nil {
		r.files.Log.Error("the client certificate for ClickHouse cannot be reloaded; the old one stays in use", "error", err)
	}
	return r.current, nil
}

// load reads the files if they are not the ones that were read last.
func (r *reloadingCertificate) load() error {
	cert, err := os.Stat(r.files.Cert)
	if err != nil {
		return err
	}
	key, err := os.Stat(r.files.Key)
	if err != nil {
		return err
	}
	if same(cert, r.cert) && same(key, r.key) {
		return nil
	}
	fresh, err := tls.LoadX509KeyPair(r.files.Cert, r.files.Key)
	if err != nil {
		return err
	}
	r.current, r.cert, r.key = &fresh, cert, key
	return nil
}

func same(a, b fs.FileInfo) bool {
	return b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
