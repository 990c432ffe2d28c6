package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/doctor"
)

// administrator runs what a plan says, once somebody has agreed.
type administrator struct {
	user     string
	password porterhouse.Secret
	agreed   bool // to everything, before
	terminal
}

// applyComment is the log_comment of what check --apply runs.
const applyComment = `{"porterhouse":"check --apply"}`

// apply runs the SQL of a cluster's plan, and reports whether it did. The plan was shown
// before.
func (a administrator) apply(ctx context.Context, cluster ClusterConfig, plan doctor.Plan) (ran bool, err error) {
	if len(plan.SQL) == 0 {
		return false, nil
	}
	if ok, err := a.agree(plan); !ok {
		return false, err
	}
	config, err := cluster.client(slog.New(slog.DiscardHandler))
	if err != nil {
		return false, fmt.Errorf("cluster %s: %w", plan.Cluster, err)
	}
	config.User, config.Password, config.Access = a.user, a.password, clickhouse.Access{} // as itself
	admin, err := clickhouse.NewAdmin(config)
	if err != nil {
		return false, fmt.Errorf("cluster %s: %w", plan.Cluster, err)
	}
	return true, errors.Join(carryOut(ctx, admin, plan, passwordsOf(cluster)), admin.Close(ctx))
}

// agree asks whether the plan shall be carried out.
func (a administrator) agree(plan doctor.Plan) (bool, error) {
	if a.agreed {
		return true, nil
	}
	fmt.Fprintf(a.stderr, "Run these %d statements on cluster %s as %s? yes or no: ", len(plan.SQL), plan.Cluster, a.user)
	answer, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, fmt.Errorf("reading the answer: %w", err)
	}
	if strings.TrimSpace(answer) != "yes" {
		fmt.Fprintln(a.stderr, "Nothing was run.")
		return false, nil
	}
	return true, nil
}

// secrets puts passwords where a plan has placeholders, and takes them out of what
// others say.
type secrets struct{ in, out *strings.Replacer }

func passwordsOf(cluster ClusterConfig) secrets {
	gateway, provisioner := clickhouse.QuoteString(cluster.Password.Reveal()), ""
	if cluster.Provision != nil {
		provisioner = clickhouse.QuoteString(cluster.Provision.Password.Reveal())
	}
	in := []string{doctor.GatewayPassword, gateway, doctor.ProvisionerPassword, provisioner}
	var out []string
	for i := 0; i < len(in); i += 2 {
		// As a literal, and as what is in it: an error may quote either.
		if literal := in[i+1]; len(literal) > len("''") {
			out = append(out, literal, in[i], strings.Trim(literal, "'"), in[i])
		}
	}
	return secrets{strings.NewReplacer(in...), strings.NewReplacer(out...)}
}

// carryOut runs one statement after the other, up to the first that fails.
func carryOut(ctx context.Context, admin *clickhouse.Admin, plan doctor.Plan, s secrets) error {
	for i, statement := range plan.SQL {
		if err := admin.Exec(ctx, s.in.Replace(statement.SQL), applyComment); err != nil {
			return fmt.Errorf("cluster %s: %d of %d statements were run; then this failed: %s\n%s", plan.Cluster, i, len(plan.SQL), statement.SQL, s.out.Replace(err.Error()))
		}
	}
	return nil
}
