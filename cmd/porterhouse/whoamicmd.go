package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/directory"
	"porterhouse/identity"
	"porterhouse/mcpserver"
	"porterhouse/proxy"
)

const whoamiUsage = "--config FILE --token -|env:NAME [--door mcp|http] [--cluster NAME] [--json]"

// errCannotTell is the end of a command that got no answer from somebody else:
// the same may go well later. Exit code 3.
var errCannotTell = errors.New("nobody can tell at the moment")

// whoamiCommand says whom a token proves, and which account follows, and why. It
// changes nothing, at ClickHouse or here.
func whoamiCommand(ctx context.Context, t terminal, args []string) error {
	f := t.flags("whoami", whoamiUsage)
	config := f.String("config", "porterhouse.yaml", "the configuration `file`")
	source := f.String("token", "", "where the token is: - for standard input, or env:NAME; never the token itself, which everybody who lists processes would see")
	door := f.String("door", mcpserver.Door, "where the token is brought: mcp, or http for ClickHouse's own clients")
	cluster := f.String("cluster", "", "the `name` of the cluster whose URL of the MCP door the token is brought to; none: to the one of all")
	asJSON := f.Bool("json", false, "print JSON, for scripts")
	if _, err := parse(f, args, 0, 0); err != nil {
		return err
	}
	token, err := t.read("token", *source)
	if err != nil {
		return err
	}
	c, p, err := t.look(*config)
	if err != nil {
		return err
	}
	at, err := resourceOf(c, *door, *cluster)
	if err != nil {
		return errors.Join(err, p.store.Close())
	}
	answer, err := whois(ctx, c, p, at, token)
	if err = errors.Join(err, p.store.Close()); err != nil {
		return err
	}
	if *asJSON {
		err = json.NewEncoder(t.stdout).Encode(answer)
	} else {
		answer.print(t.stdout)
	}
	return errors.Join(err, answer.verdict())
}

// maxTokenInput is the longest token that is read, in bytes.
const maxTokenInput = 64 << 10

// read reads what, a token or a password, from where the flag of that name says it is.
func (t terminal) read(what, source string) (string, error) {
	switch {
	case strings.HasPrefix(source, "env:"):
		secret, err := t.secret(source)
		return strings.TrimSpace(secret.Reveal()), err
	case source != "-":
		return "", fmt.Errorf("say --%[1]s - and write the %[1]s to standard input, or --%[1]s env:NAME", what)
	}
	text, err := io.ReadAll(io.LimitReader(t.stdin, maxTokenInput+1))
	token := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return "", err
	case token == "":
		return "", fmt.Errorf("there is no %s on standard input", what)
	case len(text) > maxTokenInput:
		return "", fmt.Errorf("there are more than %d bytes on standard input: that is no %s", maxTokenInput, what)
	}
	return token, nil
}

// look opens what a command needs that only looks: no audit record, and of the
// store what is there already. What it logs is told on standard error.
func (t terminal) look(path string) (Config, setup, error) {
	c, err := loadPart(path, t.env, func(secret string) bool { return secret != "audit.key" })
	if err != nil {
		return c, setup{}, err
	}
	log := slog.New(slog.NewTextHandler(t.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	// Nothing is written to this record: the rooms only want to have one.
	p := setup{
		&process{log: log, now: time.Now, audit: &audit.Log{}, accounts: directory.NewState(0)},
		&reach{provisioners: map[string]*directory.Provisioner{}},
	}
	if c.Tokens.File != "" {
		if p.tokens, err = identity.NewTokens(c.Tokens.identity(log, p.now)); err != nil {
			return c, setup{}, err
		}
	}
	if p.providers, err = c.providers(log, p.now); err != nil {
		return c, setup{}, err
	}
	if p.ownKey, err = askServerForKeys(c); err != nil {
		return c, setup{}, err
	}
	if p.store, p.forgetful, err = c.KV.look(c.Audit, log); err != nil {
		return c, setup{}, err
	}
	for name := range c.Clusters {
		if p.provisioners[name], err = c.provisioner(name, p.process); err != nil {
			return c, setup{}, errors.Join(fmt.Errorf("cluster %s: %w", name, err), p.store.Close())
		}
	}
	return c, p, nil
}

// identified is the answer to whoami.
type identified struct {
	Processor string     `json:"processor,omitempty"`
	Issuer    string     `json:"issuer,omitempty"`
	Subject   string     `json:"subject,omitempty"`
	User      string     `json:"user,omitempty"`
	Client    string     `json:"client,omitempty"`
	Groups    []string   `json:"groups,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	Checks    []string   `json:"checks"` // what was checked of the token, by which claim
	Accounts  []placing  `json:"accounts,omitempty"`
	Refusal   *refused   `json:"refusal,omitempty"` // of the token
}

// placing is the account at one cluster, or why there is none.
type placing struct {
	Cluster string   `json:"cluster"`
	User    string   `json:"user,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	Profile string   `json:"profile,omitempty"`
	Rules   []string `json:"rules"`          // that fired, in their order
	Plan    []string `json:"plan,omitempty"` // SQL by which it would be made or mended
	Refusal *refused `json:"refusal,omitempty"`
	closed  bool     // to them, by the configuration
}

// refused is an error: what the caller is told, and the reason for the operator.
type refused struct {
	Kind   porterhouse.Kind `json:"kind"`
	Public string           `json:"public"`
	Reason string           `json:"reason,omitempty"`
}

// explained takes an error apart; nil stays nil.
func explained(err error) *refused {
	if err == nil {
		return nil
	}
	r := &refused{}
	r.Kind, r.Public = porterhouse.Explain(err)
	var full *porterhouse.Error
	if errors.As(err, &full) && full.Err != nil {
		r.Reason = full.Err.Error()
	} else if full == nil {
		r.Reason = err.Error()
	}
	return r
}

// resourceOf is what a token is for at a door, or at the MCP door's URL of a cluster.
func resourceOf(c Config, door, cluster string) (identity.Resource, error) {
	switch {
	case door == mcpserver.Door:
		way, err := mcpWayTo(c, cluster)
		return mcpResource(c, way.only), err
	case cluster != "":
		return identity.Resource{}, errors.New("--cluster is for the MCP door: tokens for the door of ClickHouse's clients are for all clusters")
	case door == proxy.Door && c.ClickHouseHTTP.isOpen():
		return httpDoor{c}.resource(), nil
	case door == proxy.Door:
		return identity.Resource{}, errors.New("the door for ClickHouse's own clients is shut (clickhouse_http)")
	}
	return identity.Resource{}, fmt.Errorf("--door %q: want %s or %s", door, mcpserver.Door, proxy.Door)
}

// whois asks the rooms. Its own error is one of the configuration.
func whois(ctx context.Context, c Config, p setup, r identity.Resource, token string) (*identified, error) {
	verifier, err := buildVerifier(c, p, r)
	if err != nil {
		return nil, err
	}
	who, checks, err := verifier.Explain(ctx, token)
	if err != nil {
		return &identified{Checks: checks, Refusal: explained(err)}, nil
	}
	answer := &identified{
		Processor: who.Proof, Issuer: who.Issuer, Subject: who.Subject, User: who.User, Client: who.Client,
		Groups: who.Groups, Checks: checks,
	}
	if !who.Expires.IsZero() {
		answer.Expires = &who.Expires
	}
	for _, name := range c.clusterNames() {
		if r.Cluster != "" && r.Cluster != name {
			continue
		}
		people, err := directory.New(c.directory(name, p))
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", name, err)
		}
		if err := notFor(c.Clusters[name].For, who); err != nil {
			answer.Accounts = append(answer.Accounts, placing{Cluster: name, Rules: []string{"clusters." + name + ".for names neither them nor a group of theirs"}, Refusal: explained(err), closed: true})
			continue
		}
		at := porterhouse.Entry{Cluster: name, Door: r.Door}
		account, rules, err := people.Explain(ctx, who, at)
		var plan []string
		if err == nil {
			plan, err = people.Plan(ctx, who, at)
		}
		answer.Accounts = append(answer.Accounts, placing{
			Cluster: name, User: account.User.String(), Roles: account.Roles, Profile: account.Profile,
			Rules: rules, Plan: plan, Refusal: explained(err),
		})
	}
	return answer, nil
}

// verdict is nil when the person has an account at every cluster that is for them, and
// one is.
func (i *identified) verdict() error {
	refusals := []*refused{i.Refusal}
	for _, a := range i.Accounts {
		if !a.closed || !slices.ContainsFunc(i.Accounts, func(other placing) bool { return !other.closed }) {
			refusals = append(refusals, a.Refusal)
		}
	}
	for _, r := range refusals {
		switch {
		case r == nil:
		case r.Kind == porterhouse.Unavailable || r.Kind == porterhouse.Timeout:
			return errCannotTell
		default:
			return errNotLetIn
		}
	}
	return nil
}

// errNotLetIn is the end of whoami for somebody who would be refused.
var errNotLetIn = errors.New("this token would be refused")

// print says it in words, for an operator.
func (i *identified) print(w io.Writer) {
	fmt.Fprintln(w, "Token")
	printLines(w, i.Checks)
	if i.Refusal != nil {
		i.Refusal.print(w)
		return
	}
	fmt.Fprintf(w, "  proved by the processor %s\n\nPerson\n  name     %q\n  issuer   %q\n  subject  %q\n  client   %q\n  groups   %q\n",
		i.Processor, i.User, i.Issuer, i.Subject, i.Client, i.Groups)
	if i.Expires != nil {
		fmt.Fprintf(w, "  ends     %s\n", i.Expires.UTC().Format(time.RFC3339))
	}
	for _, a := range i.Accounts {
		fmt.Fprintf(w, "\nAccount at cluster %s\n", a.Cluster)
		printLines(w, a.Rules)
		if a.Refusal != nil {
			a.Refusal.print(w)
			continue
		}
		fmt.Fprintf(w, "  user     %q\n  roles    %q\n", a.User, a.Roles)
		if a.Profile != "" {
			fmt.Fprintf(w, "  profile  %q\n", a.Profile)
		}
		if len(a.Plan) > 0 {
			fmt.Fprintln(w, "  what would be done for it in ClickHouse, and was not:")
		}
		for _, statement := range a.Plan {
			fmt.Fprintf(w, "    %s;\n", statement)
		}
	}
}

func (r *refused) print(w io.Writer) {
	fmt.Fprintf(w, "  REFUSED (%s)\n  the caller is told: %s\n", r.Kind, r.Public)
	if r.Reason != "" {
		fmt.Fprintf(w, "  the reason: %s\n", r.Reason)
	}
}

func printLines(w io.Writer, lines []string) {
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", line)
	}
}
