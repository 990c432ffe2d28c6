package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"porterhouse"
	"porterhouse/authserver"
	"porterhouse/login"
)

const (
	loginUsage  = "[URL] [--device] [--scope SCOPES] [--resource URL]"
	logoutUsage = "[URL | --all]"
)

// keyringSwitch is the variable that keeps us from the keyring when it says off.
const keyringSwitch = "PORTERHOUSE_KEYRING"

// logins are those of the person at this terminal.
func (t terminal) logins() (*login.Logins, error) {
	directory, _ := t.env("XDG_CONFIG_HOME")
	if directory == "" {
		var err error
		if directory, err = os.UserConfigDir(); err != nil {
			return nil, fmt.Errorf("there is no place for logins: %w", err)
		}
	}
	c := login.Config{Dir: filepath.Join(directory, "porterhouse")}
	if wish, _ := t.env(keyringSwitch); wish != "off" {
		c.Keyring = login.SystemKeyring(t.env)
	}
	return login.New(c)
}

// loginCommand signs the person at this terminal in at a Porterhouse.
func loginCommand(ctx context.Context, t terminal, args []string) error {
	f := t.flags("login", loginUsage)
	device := f.Bool("device", false, "show a code to type in a browser on any other device")
	scope := f.String("scope", "", "what to ask for, such as \"clickhouse:read clickhouse:write\"; \"\": to read")
	resource := f.String("resource", "", "what the tokens are for, such as the `URL` of a ClickHouse that accepts tokens of this Porterhouse; \"\": Porterhouse itself")
	servers, err := parse(f, args, 0, 1)
	if err != nil {
		return err
	}
	l, err := t.logins()
	if err != nil {
		return err
	}
	o := login.Options{Scope: lasting(*scope), Resource: *resource, Say: t.stderr}
	at := strings.Join(servers, "")
	if at == "" {
		if at, err = where(l, &o); err != nil {
			return told(err)
		}
	}
	signIn := l.InBrowser
	if *device {
		signIn = l.ByDevice
	}
	made, err := signIn(ctx, at, o)
	if err != nil {
		return told(err)
	}
	kept := "sealed, with the key in your keyring"
	if !made.Sealed {
		kept = "in a file that only you can read: no keyring answers here"
	}
	as := ""
	if made.Person != "" {
		as = " as " + made.Person
	}
	_, err = fmt.Fprintf(t.stdout, "Signed in at %s%s (%s).\nThe login is kept %s.\n", made.Resource, as, made.Scope, kept)
	return err
}

// where is the server at which somebody signs in who does not say where: the one at
// which they are signed in, for the same resource.
func where(l *login.Logins, o *login.Options) (string, error) {
	list, err := l.List()
	switch {
	case err != nil:
		return "", err
	case len(list) == 0:
		return "", errors.New("say where: porterhouse login https://porterhouse.example.com")
	case len(list) > 1:
		_, err := l.Resource("") // says which there are
		return "", err
	case o.Resource == "" && list[0].Server != list[0].Resource:
		o.Resource = list[0].Resource
	}
	return list[0].Server, nil
}

// lasting adds to a person's wish that the login may be renewed: else it would end in
// five minutes. Without a wish the server knows what is usual.
func lasting(scope string) string {
	if scope == "" || slices.Contains(strings.Fields(scope), authserver.ScopeOffline) {
		return scope
	}
	return scope + " " + authserver.ScopeOffline
}

// logoutCommand ends one login, or all.
func logoutCommand(ctx context.Context, t terminal, args []string) error {
	f := t.flags("logout", logoutUsage)
	all := f.Bool("all", false, "end all logins")
	servers, err := parse(f, args, 0, 1)
	if err != nil {
		return err
	}
	l, err := t.logins()
	if err != nil {
		return err
	}
	switch {
	case *all && len(servers) > 0:
		return errors.New("say a URL or --all, not both")
	case *all:
		if servers, err = everywhere(l); err != nil {
			return told(err)
		}
	case len(servers) == 0:
		servers = []string{""}
	}
	var failed error
	for _, server := range servers {
		at, err := l.SignOut(ctx, server)
		if err == nil {
			_, err = fmt.Fprintf(t.stdout, "Signed out at %s.\n", at)
		}
		failed = errors.Join(failed, told(err))
	}
	return failed
}

// everywhere are the servers at which the person is signed in.
func everywhere(l *login.Logins) ([]string, error) {
	list, err := l.List()
	var servers []string
	for _, one := range list {
		servers = append(servers, one.Resource)
	}
	return servers, err
}

// printToken prints an access token, and nothing else: for scripts, and for programs
// that take a command which prints one.
func printToken(ctx context.Context, t terminal, server string) error {
	l, err := t.logins()
	if err != nil {
		return err
	}
	token, _, err := l.Token(ctx, server)
	if err != nil {
		return told(err)
	}
	_, err = fmt.Fprintln(t.stdout, token.Reveal())
	return err
}

// told is err for the person at a terminal: what went wrong and what to do, and why.
// It is their own machine, so there is nothing to hide.
func told(err error) error {
	var e *porterhouse.Error
	if !errors.As(err, &e) {
		return err
	}
	text := e.Public
	if e.Err != nil {
		text += " (" + e.Err.Error() + ")"
	}
	return outcome{text, e.Kind, err}
}

// outcome is how a command ended that needed somebody else.
type outcome struct {
	text string
	kind porterhouse.Kind
	err  error // that it tells of
}

// Error implements error.
func (o outcome) Error() string { return o.text }

// Unwrap returns what it tells of.
func (o outcome) Unwrap() error { return o.err }

// Is tells run which outcomes may be better another time.
func (o outcome) Is(target error) bool {
	return target == errCannotTell && o.kind == porterhouse.Unavailable
}
