package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"porterhouse"
	"porterhouse/clickhouse"
	"porterhouse/doctor"
)

// administrator runs what a plan says, once somebody has agreed.
type administrator struct {
	user     string
	password porterhouse.Secret
	agreed   bool          // to everything, before
	answers  *bufio.Reader // of the terminal: one for all clusters, or the first would take the answers to the others
	terminal
}

// applyComment is the log_comment of what check --apply runs.
const applyComment = `{"porterhouse":"check --apply"}`

// apply runs the SQL of a cluster's plan, and reports whether it did. The plan was shown
// before.
func (a administrator) apply(ctx context.Context, cluster ClusterConfig, plan doctor.Plan) (ran bool, err error) {
	if len(plan.Statements()) == 0 {
		return false, nil
	}
	if ok, err := a.agree(plan); !ok {
		return false, err
	}
	admin, err := cluster.admin(a.user, a.password, slog.New(slog.DiscardHandler))
	if err != nil {
		return false, fmt.Errorf("cluster %s: %w", plan.Cluster, err)
	}
	return true, errors.Join(a.carryOut(ctx, admin, plan, passwordsOf(cluster)), admin.Close(ctx))
}

// agree asks whether the plan shall be carried out.
func (a administrator) agree(plan doctor.Plan) (bool, error) {
	if a.agreed {
		return true, nil
	}
	fmt.Fprintf(a.stderr, "Run these %d statements on cluster %s as %s? yes or no: ", len(plan.Statements()), plan.Cluster, a.user)
	answer, err := a.answers.ReadString('\n')
	if err != nil && err != io.EOF {
		return false, fmt.Errorf("reading the answer: %w", err)
	}
	if strings.TrimSpace(answer) != "yes" {
		fmt.Fprintln(a.stderr, "Nothing was run.")
		return false, nil
	}
	return true, nil
}

// passwordsOf are those that belong into the plan of a cluster.
func passwordsOf(cluster ClusterConfig) map[doctor.Password]porterhouse.Secret {
	all := map[doctor.Password]porterhouse.Secret{doctor.GatewayPassword: cluster.Password}
	if cluster.Provision != nil {
		all[doctor.ProvisionerPassword] = cluster.Provision.Password
	}
	return all
}

// withoutPasswords takes passwords out of what others say.
func withoutPasswords(said string, passwords map[doctor.Password]porterhouse.Secret) string {
	shown := map[string]string{}
	for whose, password := range passwords {
		// As a literal, and as what is in it: an error may quote either.
		if literal := clickhouse.QuoteString(password.Reveal()); len(literal) > len("''") {
			shown[literal], shown[literal[1:len(literal)-1]], shown[password.Reveal()] = string(whose), string(whose), string(whose)
		}
	}
	var pairs []string
	// The longest first: one may be the beginning of another.
	for _, text := range slices.SortedFunc(maps.Keys(shown), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	}) {
		pairs = append(pairs, text, shown[text])
	}
	return strings.NewReplacer(pairs...).Replace(said)
}

// carryOut runs one statement after the other, up to the first that fails. A password that
// would not let its user in is not added: it would be one more with each run.
func (a administrator) carryOut(ctx context.Context, admin *clickhouse.Admin, plan doctor.Plan, passwords map[doctor.Password]porterhouse.Secret) error {
	for i, statement := range plan.Statements() {
		ran, err := a.runs(ctx, admin, statement, passwords)
		if err != nil {
			return fmt.Errorf("cluster %s: %d of %d statements were run; then this failed: %s\n%s", plan.Cluster, i, len(plan.Statements()), statement, withoutPasswords(err.Error(), passwords))
		}
		if !ran {
			fmt.Fprintf(a.stderr, "Not run, because a password does not help there: %s\n", visible(statement.String()))
		}
	}
	return nil
}

// runs runs one statement, unless it is in vain.
func (a administrator) runs(ctx context.Context, admin *clickhouse.Admin, statement doctor.Statement, passwords map[doctor.Password]porterhouse.Secret) (ran bool, err error) {
	if statement.Adds != "" {
		from, shut, err := shutOut(ctx, admin, statement.Adds)
		if err != nil {
			return false, err
		}
		if shut {
			fmt.Fprintf(a.stderr, "%s may not come from %s, where this runs (HOST of the user): run check where Porterhouse runs, or change HOST.\n", visible(statement.Adds), from)
			return false, nil
		}
	}
	sql, err := statement.Fill(passwords)
	if err != nil {
		return false, err
	}
	return true, admin.Exec(ctx, sql, applyComment)
}
