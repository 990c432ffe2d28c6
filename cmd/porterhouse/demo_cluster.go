package main

import (
	"context"
	"crypto/rand"
	"strings"

	"porterhouse"
	"porterhouse/authenticator"
	"porterhouse/clickhouse"
	"porterhouse/sandbox"
)

// demoCluster is a ClickHouse of a demo, with its people and their way in.
type demoCluster struct {
	mode          clickhouse.Mode
	sandbox       *sandbox.Server
	gateway       sandbox.Gateway
	authenticator string             // where ClickHouse asks who is there
	knock         porterhouse.Secret // the path there
}

// startDemoCluster starts one below dir; "": in a temporary directory. It has neither data
// nor people yet. Where it asks who is there is one of the addresses taken from now on.
func startDemoCluster(ctx context.Context, mode clickhouse.Mode, dir string, taken addresses) (c demoCluster, err error) {
	c = demoCluster{mode: mode, knock: porterhouse.NewSecret(rand.Text())}
	if c.authenticator, err = taken.take(0); err != nil {
		return c, err
	}
	asks, err := c.authenticatorXML()
	if err != nil {
		return c, err
	}
	c.sandbox, err = sandbox.Start(ctx, sandbox.Options{Dir: dir, ExtraConfig: asks})
	return c, err
}

// authenticatorXML makes ClickHouse ask us who is there.
func (c demoCluster) authenticatorXML() (string, error) {
	file, err := authenticator.ClickHouseConfig(authenticatorName, "http://"+c.authenticator+"/"+c.knock.Reveal())
	file = strings.TrimPrefix(strings.TrimSpace(file), "<clickhouse>")
	return strings.TrimSuffix(file, "</clickhouse>"), err
}

// addPeople makes the people. For verify they log in to ClickHouse by our word, and the
// gateway may stop what they leave running.
func (c *demoCluster) addPeople(ctx context.Context) (err error) {
	if c.gateway, err = c.sandbox.AddPeople(ctx); err != nil || c.mode != clickhouse.Verify {
		return err
	}
	statements := []string{
		"GRANT KILL QUERY ON *.* TO " + c.gateway.User,
		"GRANT SELECT(query, query_id, user, Settings) ON system.processes TO " + c.gateway.User,
	}
	for _, person := range sandbox.People() {
		statements = append(statements, "ALTER USER "+person.Account+" IDENTIFIED WITH http SERVER '"+authenticatorName+"' SCHEME 'BASIC'")
	}
	for _, statement := range statements {
		if err := c.sandbox.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// config is what porterhouse.yaml would say of it.
func (c demoCluster) config() ClusterConfig {
	access := AccessConfig{Mode: string(c.mode)}
	if c.mode != clickhouse.Verify {
		access.Native = c.sandbox.Native
	}
	return ClusterConfig{
		URL: c.sandbox.HTTP, User: c.gateway.User, Password: porterhouse.NewSecret(c.gateway.Password),
		Access:        access,
		Authenticator: &AuthenticatorConfig{Listen: c.authenticator, Path: c.knock},
	}
}
