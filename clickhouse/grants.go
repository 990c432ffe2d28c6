package clickhouse

import (
	"slices"
	"strings"
)

// Grant is one right that an account holds on one thing, as SHOW GRANTS tells it.
type Grant struct {
	Right   string   `json:"right"`             // in upper case, mostly: SELECT, IMPERSONATE, CREATE USER, ALL
	Columns []string `json:"columns,omitempty"` // of SELECT, INSERT and the like; nil: all
	On      string   `json:"on"`                // as ClickHouse writes it: *.*, app.*, system.processes, a quoted name, a prefix*
	Option  bool     `json:"grant_option"`      // the account may grant it to others
	Revoked bool     `json:"revoked,omitempty"` // taken out of a larger grant
	Realm   Realm    `json:"realm"`
}

// Realm is what sort of thing a right is about.
type Realm string

// The realms.
const (
	Impersonation Realm = "impersonation" // acting as other users
	Management    Realm = "management"    // users, roles, policies, quotas, profiles, and rights themselves
	Sources       Realm = "sources"       // reaching other hosts and files: remote(), url(), s3(), file()
	Killing       Realm = "killing"       // stopping statements
	Reading       Realm = "reading"       // seeing data, and what there is
	Writing       Realm = "writing"       // changing data and tables
	Running       Realm = "running"       // the server itself: SYSTEM, CLUSTER, INTROSPECTION
	Everything    Realm = "everything"    // ALL
)

// realms are those of rights, by their first words; the longest that fits counts. What
// is not here is about the server itself, or so new that nobody knows: Running.
var realms = map[string]Realm{
	"ALL": Everything, "NONE": Everything,
	"IMPERSONATE": Impersonation, "EXECUTE AS": Impersonation, "SET DEFINER": Impersonation, "ALLOW SQL SECURITY NONE": Impersonation,

	"ACCESS MANAGEMENT": Management, "ROLE ADMIN": Management, "SHOW ACCESS": Management, "NAMED COLLECTION": Management,
	"CREATE USER": Management, "ALTER USER": Management, "DROP USER": Management,
	"CREATE ROLE": Management, "ALTER ROLE": Management, "DROP ROLE": Management,
	"CREATE ROW POLICY": Management, "ALTER ROW POLICY": Management, "DROP ROW POLICY": Management,
	"CREATE MASKING POLICY": Management, "ALTER MASKING POLICY": Management, "DROP MASKING POLICY": Management,
	"CREATE QUOTA": Management, "ALTER QUOTA": Management, "DROP QUOTA": Management,
	"CREATE SETTINGS PROFILE": Management, "ALTER SETTINGS PROFILE": Management, "DROP SETTINGS PROFILE": Management,
	"CREATE NAMED COLLECTION": Management, "ALTER NAMED COLLECTION": Management, "DROP NAMED COLLECTION": Management,
	"SHOW NAMED COLLECTIONS": Management, "DISPLAYSECRETSINSHOWANDSELECT": Management,

	"SOURCES": Sources, "READ": Sources, "WRITE": Sources, "FILE": Sources, "URL": Sources, "REMOTE": Sources, "MONGO": Sources,
	"REDIS": Sources, "MYSQL": Sources, "POSTGRES": Sources, "SQLITE": Sources, "ODBC": Sources, "JDBC": Sources, "HDFS": Sources,
	"S3": Sources, "HIVE": Sources, "AZURE": Sources, "KAFKA": Sources, "NATS": Sources, "RABBITMQ": Sources, "YTSAURUS": Sources,
	"ARROW FLIGHT": Sources,

	"KILL": Killing,
	"SHOW": Reading, "SELECT": Reading, "DICTGET": Reading, "CHECK": Reading,
	"INSERT": Writing, "ALTER": Writing, "CREATE": Writing, "DROP": Writing, "UNDROP": Writing, "TRUNCATE": Writing, "OPTIMIZE": Writing,
	"BACKUP": Writing, "MOVE PARTITION": Writing, "TABLE ENGINE": Writing,
}

// roleAdmin is the right to give a role to others: WITH ADMIN OPTION.
const roleAdmin = "ROLE ADMIN"

// realmOf returns the realm of a right.
func realmOf(right string) Realm {
	words := strings.Fields(strings.ToUpper(right))
	for n := len(words); n > 0; n-- {
		if realm, ok := realms[strings.Join(words[:n], " ")]; ok {
			return realm
		}
	}
	return Running
}

// Names returns what On names, where that is one name or the beginning of names:
// users, roles and the like. Quotes are taken off. ok is false for tables and databases.
func (g Grant) Names() (name string, prefix, ok bool) {
	name, prefix = strings.CutSuffix(g.On, "*")
	switch {
	case strings.HasSuffix(name, ".") || len(cutOutside(name, ".")) > 1 || strings.Contains(name, "("):
		return "", false, false
	case prefix:
		return unquote(name), true, true
	}
	return unquote(name), false, name != ""
}

// parseGrants reads the answer to SHOW GRANTS: a statement on each line, of GRANT or of
// REVOKE. What it cannot read, it returns.
func parseGrants(lines []string) (grants []Grant, roles, unread []string) {
	for _, line := range lines {
		more, named, ok := parseGrant(line)
		if !ok {
			unread = append(unread, line)
		}
		grants, roles = append(grants, more...), append(roles, named...)
	}
	slices.Sort(roles)
	return grants, slices.Compact(roles), unread
}

// parseGrant reads one:
//
//	GRANT SELECT(a, `b c`), INSERT ON app.t TO poor WITH GRANT OPTION
//	GRANT reader, `a writer` TO poor WITH ADMIN OPTION
//	REVOKE IMPERSONATE ON default FROM poor
func parseGrant(line string) (grants []Grant, roles []string, ok bool) {
	verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	before := map[string]string{"GRANT": " TO ", "REVOKE": " FROM "}[verb]
	parts := cutOutside(rest, before)
	if before == "" || len(parts) != 2 {
		return nil, nil, false
	}
	what := cutOutside(parts[0], " ON ")
	if len(what) == 1 {
		admin := len(cutOutside(parts[1], " WITH ADMIN OPTION")) > 1
		for _, role := range cutOutside(what[0], ",") {
			role = strings.TrimSpace(role)
			roles = append(roles, unquote(role))
			if admin {
				grants = append(grants, Grant{Right: roleAdmin, On: role, Option: true, Realm: Management})
			}
		}
		return grants, roles, verb == "GRANT"
	}
	option := len(cutOutside(parts[1], " WITH GRANT OPTION")) > 1
	for _, right := range cutOutside(what[0], ",") {
		g := Grant{On: strings.TrimSpace(what[1]), Option: option, Revoked: verb == "REVOKE"}
		g.Right, g.Columns = rightAndColumns(strings.TrimSpace(right))
		g.Realm = realmOf(g.Right)
		grants = append(grants, g)
	}
	return grants, nil, len(what) == 2
}

// rightAndColumns splits SELECT(a, b).
func rightAndColumns(text string) (right string, columns []string) {
	right, list, some := strings.Cut(text, "(")
	if !some {
		return right, nil
	}
	for _, column := range cutOutside(strings.TrimSuffix(list, ")"), ",") {
		columns = append(columns, unquote(strings.TrimSpace(column)))
	}
	return strings.TrimSpace(right), columns
}

// cutOutside splits text at each separator that stands neither in quotes nor in
// parentheses. An empty separator splits nothing.
func cutOutside(text, separator string) (parts []string) {
	begin, depth, quote := 0, 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '`' || c == '\'' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0 && separator != "" && strings.HasPrefix(text[i:], separator):
			parts = append(parts, text[begin:i])
			begin = i + len(separator)
			i = begin - 1
		}
	}
	return append(parts, text[begin:])
}

// unquote takes the backticks off an identifier, and the backslashes in it.
func unquote(name string) string {
	inner, ok := strings.CutPrefix(name, "`")
	if !ok || !strings.HasSuffix(inner, "`") {
		return name
	}
	return strings.NewReplacer("\\\\", "\\", "\\`", "`").Replace(strings.TrimSuffix(inner, "`"))
}
