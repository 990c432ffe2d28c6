// Package fake makes ClickHouse servers that cannot be had here: old ones, builds
// of vendors, and such as are not well. A persona stands in front of a real
// ClickHouse and says for itself only what that would say otherwise:
//
//	a client ─▶ door (listen.go) ─▶ manners (persona.go) ─▶ the real ClickHouse
//	              │ TLS, delay,        │ EXECUTE AS, Bearer,        │
//	              │ hanging up         │ words that are too new     │
//	              ▼                    ▼                            ▼
//	            nothing       ClickHouse's own exception     its answer, with the
//	                          (words.go, tokens.go)          persona's version in it
//
// So whatever a test asks, the SQL, the rights and the errors are ClickHouse's, and
// a persona is a small table (personas.go). Its native port, where it has one, is
// the real server's: over it a persona has the real server's version.
//
// The rule: a persona never knows more than the server that it stands for. What came
// into ClickHouse later is unknown to it, by ClickHouse's own exception.
package fake
