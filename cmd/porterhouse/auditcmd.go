package main

import (
	"context"
	"errors"
	"fmt"

	"porterhouse"
	"porterhouse/audit"
)

const auditUsage = "verify [--config FILE | --key SECRET] [--head HEAD] [FILE…]"

// errNotWhole is the verdict on a record that was tampered with; the report has
// said where.
var errNotWhole = errors.New("the record is not whole")

// auditCommand tells whether an audit record is as it was written.
func auditCommand(_ context.Context, t terminal, args []string) error {
	if len(args) == 0 || args[0] != "verify" {
		fmt.Fprintf(t.stderr, "usage: porterhouse audit %s\n", auditUsage)
		return errUsage
	}
	f := t.flags("audit verify", "[flags] [FILE…]")
	config := f.String("config", "porterhouse.yaml", "the `file` that configures the server: it names the record and its key")
	keyName := f.String("key", "", "the record's key, as env:NAME or file:PATH, instead of --config")
	head := f.String("head", "", "a head that the server has logged: finds out whether the end was cut off")
	files, err := parse(f, args[1:], 0, 1000)
	if err != nil {
		return err
	}
	check := audit.Check{Files: files, Head: *head}
	if *keyName == "" {
		c, err := loadPart(*config, t.env, func(secret string) bool { return secret == "audit.key" })
		if err != nil {
			return err
		}
		check.Key = c.Audit.Key
		if len(check.Files) == 0 {
			check.Files = []string{c.Audit.File}
		}
	} else {
		key, err := t.secret(*keyName)
		if err != nil {
			return fmt.Errorf("--key: %w", err)
		}
		check.Key = key
	}
	if len(check.Files) == 0 {
		return errors.New("name the file of the record")
	}
	report, err := audit.Verify(check)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.stdout, report)
	if !report.OK() {
		return errNotWhole
	}
	return nil
}

// secret finds what env:NAME or file:PATH on the command line stands for.
func (t terminal) secret(name string) (porterhouse.Secret, error) {
	d := &decoder{env: t.env}
	return d.secret(name)
}
