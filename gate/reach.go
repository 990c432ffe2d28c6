package gate

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"porterhouse"
)

// For says whose a cluster is: of whoever is in one of the Groups, and of each of the
// Users (as porterhouse.Principal.User). Names are compared as in a Rule; but there each
// list narrows, and here each lets people in. The zero For is for everybody.
//
// Who shows the password of a ClickHouse user is in no group, and has that user's name.
type For struct{ Groups, Users []string }

// check refuses an empty name: somebody without a name would have it.
func (f For) check() error {
	if slices.Contains(f.Groups, "") || slices.Contains(f.Users, "") {
		return errors.New("it is for a group or a user without a name")
	}
	return nil
}

// Admits reports whether who may reach the cluster.
func (f For) Admits(who *porterhouse.Principal) bool {
	if len(f.Groups) == 0 && len(f.Users) == 0 {
		return true
	}
	return slices.Contains(f.Users, who.User) ||
		slices.ContainsFunc(who.Groups, func(group string) bool { return slices.Contains(f.Groups, group) })
}

// Reach names the clusters that who reaches by a door, in alphabetical order.
func (g *Gate) Reach(who porterhouse.Principal, door string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(g.clusters)) {
		if g.reaches(&who, porterhouse.Entry{Cluster: name, Door: door}) {
			names = append(names, name)
		}
	}
	return names
}

// reaches reports whether who may come in at the entry.
func (g *Gate) reaches(who *porterhouse.Principal, at porterhouse.Entry) bool {
	_, open := g.doors[at]
	return open && g.clusters[at.Cluster].For.Admits(who)
}

// NotThere refuses a question to a cluster that is none of those that who reaches by
// the way that q came, and records the refusal: for a door that leads to fewer clusters
// than Reach tells. It says the same of a cluster of others and of one that nobody has
// ever heard of.
func (g *Gate) NotThere(who porterhouse.Principal, q porterhouse.Query, reached []string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return &porterhouse.Error{Kind: porterhouse.Internal, Public: "no query id could be made", Err: err}
	}
	a := &asking{gate: g, id: id.String(), who: who, q: q}
	return g.refuse(a.question(), notThere(reached))
}

// notThere is the refusal; it does not repeat the name that was asked for.
func notThere(reached []string) error {
	e := &porterhouse.Error{Kind: porterhouse.Denied, Code: codeAccessDenied,
		Public: "you reach no cluster here; ask the operator to let you in"}
	if len(reached) > 0 {
		e.Public = "there is no such cluster that you reach here; you reach " + strings.Join(reached, ", ")
	}
	return e
}
