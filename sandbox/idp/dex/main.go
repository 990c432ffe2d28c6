// Command dex runs dex, the OpenID provider, for tests: its server with a store
// in memory, people with passwords, and the password grant. It has a module of
// its own, so that Porterhouse depends on none of this.
//
// Its configuration is one JSON document on stdin. It then says "READY" and its
// issuer on stdout, and ends when stdin does.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/server/connectors"
	"github.com/dexidp/dex/server/signer"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/dexidp/dex/web"
	"golang.org/x/crypto/bcrypt"
)

// config is what the tests tell: people who can sign in, and clients that ask.
type config struct {
	Lifetime int // of a token, in seconds
	People   []struct {
		Subject, Name, Email, Password string
		Unverified                     bool
		Groups                         []string
	}
	Clients []struct{ ID, Secret, Redirect string }
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "dex:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	input := json.NewDecoder(os.Stdin)
	var c config
	if err := input.Decode(&c); err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := "http://" + listener.Addr().String() + "/dex"
	handler, err := newServer(ctx, issuer, c)
	if err != nil {
		return err
	}
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println("READY", issuer)
	return http.Serve(listener, handler)
}

func newServer(ctx context.Context, issuer string, c config) (http.Handler, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := fill(ctx, memory.New(log), c)
	if err != nil {
		return nil, err
	}
	lifetime := time.Duration(c.Lifetime) * time.Second
	keys, err := (&signer.LocalConfig{KeysRotationPeriod: "6h"}).Open(ctx, store, lifetime, time.Now, log)
	if err != nil {
		return nil, err
	}
	return server.NewServer(ctx, server.Config{
		Issuer:             issuer,
		Storage:            store,
		AllowedGrantTypes:  []string{"authorization_code", "password"},
		PasswordConnector:  connectors.LocalConnector,
		SkipApprovalScreen: true,
		IDTokensValidFor:   lifetime,
		Web:                server.WebConfig{WebFS: web.FS()},
		Logger:             log,
		Signer:             keys,
	})
}

// fill puts people, clients and the way to sign in into the store.
func fill(ctx context.Context, store storage.Storage, c config) (storage.Storage, error) {
	for _, p := range c.People {
		hash, err := bcrypt.GenerateFromPassword([]byte(p.Password), bcrypt.DefaultCost) // dex refuses a cheaper one
		if err != nil {
			return nil, err
		}
		verified := !p.Unverified
		if err := store.CreatePassword(ctx, storage.Password{
			Email: p.Email, EmailVerified: &verified, Hash: hash, Groups: p.Groups,
			UserID: p.Subject, Username: p.Name, PreferredUsername: p.Name,
		}); err != nil {
			return nil, err
		}
	}
	for _, client := range c.Clients {
		if err := store.CreateClient(ctx, storage.Client{
			ID: client.ID, Secret: client.Secret, Name: client.ID, RedirectURIs: []string{client.Redirect},
		}); err != nil {
			return nil, err
		}
	}
	return storage.WithStaticConnectors(store, []storage.Connector{
		{ID: connectors.LocalConnector, Type: connectors.LocalConnector, Name: "Password"},
	}), nil
}
