package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"porterhouse"
	"porterhouse/directory"
	"porterhouse/identity"
	"porterhouse/kv"
)

const tokenUsage = `[URL]
       porterhouse token create --user NAME --expires 90d [--client NAME]
       porterhouse token list
       porterhouse token revoke ID

Without a verb it prints an access token of the login at that server, or of the
only login there is (porterhouse login); it is good for at least a minute.

The verbs are about API tokens: with --config FILE the tokens are those of that server, with --file FILE those
of a token file; a running server notices within a second.`

// tokenCommand prints an access token of a login; or it makes, lists and revokes API
// tokens, which needs no running server: the server watches the same file.
func tokenCommand(ctx context.Context, t terminal, args []string) error {
	verbs := map[string]func(terminal, []string) error{"create": createToken, "list": listTokens, "revoke": revokeToken}
	if len(args) > 0 && verbs[args[0]] != nil {
		return verbs[args[0]](t, args[1:])
	}
	f := t.flags("token", tokenUsage)
	servers, err := parse(f, args, 0, 1)
	if err != nil {
		return err
	}
	if len(servers) == 1 && !strings.ContainsAny(servers[0], ".:/") { // a verb, misspelt
		f.Usage()
		return errUsage
	}
	return printToken(ctx, t, strings.Join(servers, ""))
}

// tokenFlags are those that all verbs have: which file.
func tokenFlags(t terminal, verb string) (*flag.FlagSet, func() (tokenStore, error)) {
	f := t.flags("token "+verb, "[flags]")
	config := f.String("config", "porterhouse.yaml", "the `file` that configures the server")
	file := f.String("file", "", "the token `file` itself, instead of --config")
	return f, func() (s tokenStore, err error) {
		path := *file
		if path == "" {
			c, err := loadPart(*config, t.env, func(string) bool { return false })
			if err != nil {
				return s, err
			}
			path, s.config = c.Tokens.File, &c
		}
		s.Tokens, err = identity.NewTokens(identity.TokensConfig{Path: path})
		return s, err
	}
}

// tokenStore is the tokens of a server, and its rules where they are known.
type tokenStore struct {
	*identity.Tokens
	config *Config // nil with --file
}

// warn tells when the person of a new token has no ClickHouse account by the
// rules: the token would be refused at every question.
func (s tokenStore) warn(t terminal, user string) error {
	if s.config == nil {
		return nil
	}
	store, err := kv.OpenMemory(kv.MemoryConfig{}) // whose accounts are, is not asked
	if err != nil {
		return err
	}
	who := porterhouse.Principal{Issuer: identity.Issuer, Subject: user, User: user, Proof: apiTokens}
	for _, name := range s.config.clusterNames() {
		rules, err := directory.New(s.config.directory(name, setup{&process{store: store}, &reach{}}))
		if err != nil {
			return err
		}
		if _, _, err := rules.Explain(context.Background(), who, porterhouse.Entry{Cluster: name}); err != nil {
			var cause *porterhouse.Error
			if errors.As(err, &cause) && cause.Err != nil {
				err = cause.Err
			}
			fmt.Fprintf(t.stderr, "warning: by the rules under users in the configuration this person has no account at cluster %s: %v\n", name, err)
		}
	}
	return store.Close()
}

func createToken(t terminal, args []string) error {
	f, open := tokenFlags(t, "create")
	user := f.String("user", "", "the person it is for, such as alice@example.com")
	client := f.String("client", "", "the program it will be used from, for the audit record")
	expires := f.String("expires", "", "after how long it ends, such as 90d or 12h; \"never\" for no end")
	if _, err := parse(f, args, 0, 0); err != nil {
		return err
	}
	if *user == "" || *expires == "" {
		return errors.New("say --user, the person it is for, and --expires, after how long it ends (90d; \"never\" for no end)")
	}
	grant := identity.Grant{User: *user, Client: *client, AllowForever: *expires == "never"}
	if !grant.AllowForever {
		lifetime, err := parseDuration(*expires)
		if err != nil {
			return fmt.Errorf("--expires %s: %w", *expires, err)
		}
		grant.Expires = time.Now().Add(lifetime)
	}
	tokens, err := open()
	if err != nil {
		return err
	}
	secret, token, err := tokens.Create(grant)
	if err != nil {
		return err
	}
	if err := tokens.warn(t, *user); err != nil {
		return err
	}
	fmt.Fprintf(t.stderr, "token %s for %s, ends %s; it is shown this once and stored only as a hash:\n", token.ID, token.User, day(token.Expires, "never"))
	_, err = fmt.Fprintln(t.stdout, secret.Reveal())
	return err
}

func listTokens(t terminal, args []string) error {
	f, open := tokenFlags(t, "list")
	if _, err := parse(f, args, 0, 0); err != nil {
		return err
	}
	tokens, err := open()
	if err != nil {
		return err
	}
	list, err := tokens.List()
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "ID\tUSER\tCLIENT\tCREATED\tENDS\tREVOKED")
	for _, token := range list {
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", token.ID, token.User, token.Client,
			day(token.Created, "-"), day(token.Expires, "never"), day(token.Revoked, "-"))
	}
	return out.Flush()
}

func revokeToken(t terminal, args []string) error {
	f, open := tokenFlags(t, "revoke")
	ids, err := parse(f, args, 1, 1)
	if err != nil {
		return err
	}
	tokens, err := open()
	if err != nil {
		return err
	}
	token, err := tokens.Revoke(ids[0])
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.stdout, "token %s of %s is revoked; a running server notices within a second\n", token.ID, token.User)
	return err
}

func day(at time.Time, none string) string {
	if at.IsZero() {
		return none
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}
