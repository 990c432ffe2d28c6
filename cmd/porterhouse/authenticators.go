package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/authenticator"
	"porterhouse/directory"
	"porterhouse/identity"
	"porterhouse/kv"
	"porterhouse/ticket"
)

// buildAuthenticators makes the door of each cluster that has one, by cluster.
func buildAuthenticators(c Config, p setup, people map[string]*directory.Directory) (map[string]*authenticator.Authenticator, error) {
	doors := map[string]*authenticator.Authenticator{}
	for name, cluster := range c.Clusters {
		a := cluster.Authenticator
		if a == nil {
			continue
		}
		verifier, err := buildVerifier(c, p, identity.Resource{Door: authenticator.Door, Cluster: name, Audiences: cluster.authenticatorAudiences()})
		if err != nil {
			return nil, fmt.Errorf("authenticator of cluster %s: %w", name, err)
		}
		doors[name], err = authenticator.New(authenticator.Config{
			Name: a.name(), Cluster: name, Path: a.path(), Settings: a.Settings,
			Verify: verifier.Verify, Account: accountsFor(cluster.For, people[name]),
			IsTicket: ticket.Is,
			Redeem: func(ctx context.Context, secret string, user porterhouse.UserName, queryID string) error {
				return p.desks[name].Redeem(ctx, secret, ticket.Claim{User: user, QueryID: queryID, Authenticator: a.name()})
			},
			Admitted: func(a authenticator.Admission, times uint64) { p.admitted(name, a, times) },
			Rejected: p.rejected,
			Failures: p.failures[name],
			Log:      p.log,
		})
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", name, err)
		}
	}
	return doors, nil
}

// desk makes and takes the tickets of a cluster. Gateways that share a Redis share
// them, and the key of what is kept there, which follows from the path that they
// share as well. A gateway alone keeps them in memory.
func (c Config) desk(cluster string, store kv.Store, now func() time.Time) (*ticket.Desk, *part, error) {
	made := &part{}
	if c.KV.Redis.URL == "" {
		own, err := kv.OpenMemory(kv.MemoryConfig{Now: now})
		if err != nil {
			return nil, nil, err
		}
		store, made.end = own, func(context.Context) error { return own.Close() }
	}
	mac := hmac.New(sha256.New, []byte(c.Clusters[cluster].Authenticator.path().Reveal()))
	mac.Write([]byte("tickets of " + cluster))
	desk, err := ticket.New(ticket.Config{Store: store, Key: porterhouse.NewSecret(string(mac.Sum(nil)))})
	return desk, made, err
}

// mint makes the one-time tickets of a desk, each for one user and one query.
func mint(desk *ticket.Desk, authenticator string) func(context.Context, porterhouse.UserName, string) (porterhouse.Secret, error) {
	return func(ctx context.Context, user porterhouse.UserName, queryID string) (porterhouse.Secret, error) {
		return desk.Mint(ctx, ticket.Claim{User: user, QueryID: queryID, Authenticator: authenticator})
	}
}

// path is the secret with the slash that a path begins with.
func (a *AuthenticatorConfig) path() porterhouse.Secret {
	return porterhouse.NewSecret("/" + strings.TrimPrefix(a.Path.Reveal(), "/"))
}

// admitted records somebody whom ClickHouse lets in by our word. That the record
// cannot be written keeps nobody out: ClickHouse has its answer already, and its own
// session_log.
func (p *process) admitted(cluster string, a authenticator.Admission, times uint64) {
	err := p.audit.Account(audit.AccountEvent{
		Action: "admit", Who: a.Who, At: porterhouse.Entry{Door: authenticator.Door, Cluster: cluster},
		Account: a.Account.User.String(), Roles: a.Account.Roles,
		Reason: fmt.Sprintf("ClickHouse at %s asked %d times whether the token is right", a.Remote, times),
	})
	if err != nil {
		p.log.Error("an admission could not be recorded", "account", a.Account.User.String(), "cluster", cluster, "error", err)
	}
}

// rejected records somebody whom ClickHouse does not let in.
func (p *process) rejected(r authenticator.Rejection, times uint64) {
	p.audit.Unauthenticated(audit.Attempt{Door: authenticator.Door, Remote: r.Remote, Err: r.Err, Times: times})
}

// openAuthenticators adds the addresses where the clusters' own servers knock.
func (s *server) openAuthenticators(c Config) error {
	var errs []error
	for _, name := range c.clusterNames() {
		a := c.Clusters[name].Authenticator
		if a == nil {
			continue
		}
		current := s.process.answering(func(g *generation) http.Handler { return g.authenticators[name] })
		kept := &authenticator.Kept{Handler: current, HeaderTimeout: c.HTTP.HeaderTimeout, IdleTimeout: c.HTTP.IdleTimeout, MaxHeader: int64(c.HTTP.MaxHeader)}
		s.kept = append(s.kept, kept)
		errs = append(errs, s.open(a.Listen, c.HTTP.server(kept, s.process.log), a.TLS))
	}
	return errors.Join(errs...)
}
