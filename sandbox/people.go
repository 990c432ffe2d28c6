package sandbox

import (
	"context"
	"crypto/rand"
	_ "embed" // of the rights
	"encoding/hex"
	"fmt"
	"strings"
)

// Person is somebody who has a ClickHouse user after AddPeople.
type Person struct {
	Account string // the ClickHouse user; nobody can log in as it
	Name    string
	Email   string
	About   string // who it is and what it may do, in one sentence
	Groups  []string
}

// People lists the people of the sandbox. people.sql says the same to ClickHouse.
func People() []Person {
	return []Person{
		{"alice", "Alice", "alice@example.com", "An analyst: reads flights, nature, films and usage.", []string{"analysts"}},
		{"bob", "Bob", "bob@example.com", "Of the support team: reads usage, and there only the rows of his own team.", []string{"support"}},
		{"carol", "Carol", "carol@example.com", "An analyst like Alice, who may also write to the database scratch.", []string{"analysts", "authors"}},
	}
}

// Gateway is the account of whoever asks on behalf of the people. It may be each
// of them (IMPERSONATE), see which queries run, and do nothing else.
type Gateway struct{ User, Password string }

// gatewayUser is the gateway's account in people.sql.
const gatewayUser = "porterhouse"

//go:embed people.sql
var peopleScript string

// AddPeople makes the people, their rights, the database scratch and the gateway's
// account. Where they are already, it only gives the gateway a new password.
func (s *Server) AddPeople(ctx context.Context) (Gateway, error) {
	// The script's last statement says whether it ran to its end.
	complete, err := s.Text(ctx, "SELECT count() > 0 FROM system.grants WHERE user_name = '"+gatewayUser+"' AND table = 'processes'")
	if err != nil {
		return Gateway{}, err
	}
	if complete != "1" {
		script := strings.ReplaceAll(peopleScript, "{nobody}", nobody(s.Version))
		for _, statement := range split(script) {
			if err := s.Exec(ctx, statement); err != nil {
				return Gateway{}, fmt.Errorf("adding the people: %w", err)
			}
		}
	}
	gateway := Gateway{gatewayUser, rand.Text()}
	return gateway, s.Exec(ctx, "ALTER USER "+gateway.User+" IDENTIFIED WITH sha256_password BY '"+gateway.Password+"'")
}

// nobody is a way to authenticate that nobody can go. In 26.7 it has a name; for
// an older server it is the hash of a password that nobody knows.
func nobody(serverVersion string) string {
	if v, err := parseVersion(serverVersion); err == nil && !v.before(version{26, 7}) {
		return "no_authentication"
	}
	var hash [32]byte
	rand.Read(hash[:]) // never fails
	return "sha256_hash BY '" + hex.EncodeToString(hash[:]) + "'"
}
