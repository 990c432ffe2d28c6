package clickhouse

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"porterhouse"
)

// A statement that names nobody is never proved, whoever forgot to check before; and
// neither is one without a secret.
func TestNobodyIsNeverProved(t *testing.T) {
	s := &clusterSecret{cluster: "c", secret: porterhouse.NewSecret("s"), salt: "salt"}
	for _, initial := range []*initialUser{nil, {}, {address: "127.0.0.1:1"}} {
		q := &nativeQuery{sql: "SELECT 1", initial: initial}
		if err := s.prove(q); !errors.Is(err, errNobody) || initial.proven() != "" {
			t.Errorf("%+v was proved: %v", initial, err)
		}
	}
	q := &nativeQuery{sql: "SELECT 1", initial: &initialUser{name: "alice"}}
	if err := (&clusterSecret{salt: "salt"}).prove(q); !errors.Is(err, errNobody) {
		t.Errorf("without a secret: %v", err)
	}
}

// The proof covers what ClickHouse compares, and leaves the data to be read again.
func TestProofCoversTheStatement(t *testing.T) {
	s := &clusterSecret{cluster: "c", secret: porterhouse.NewSecret("s"), salt: "salt", nonce: "17"}
	data := strings.NewReader("1,x\n")
	q := &nativeQuery{id: "id", sql: "INSERT\n", data: data, size: 4, initial: &initialUser{name: "alice"}}
	if err := s.prove(q); err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256([]byte("salt17sINSERT\n1,x\nidalice"))
	if q.initial.proven() != string(want[:]) || data.Len() != 4 {
		t.Errorf("%x, want %x; %d bytes of data are left", q.initial.proven(), want, data.Len())
	}
}
