// Package doctor reads what was found at a ClickHouse, and says what to do: in words,
// in SQL and in XML. It asks nobody anything and changes nothing.
//
//	clickhouse.Facts ─┐
//	                  ├─▶ Examine ─▶ Plan ─▶ Findings, the worst first
//	what is wanted ───┘     │          ├───▶ SQL, to be run as an administrator
//	     (Case)             │          └───▶ files for the server's config.d
//	                        └ reach.go, way.go, tokens.go, server.go, account.go, excess.go, power.go
//
// The rules:
//   - The same Case gives the same Plan, to the byte.
//   - The SQL asks for the least that works: the gateway may act as people by exact
//     name or by prefix, stop statements, and do nothing else.
//   - Statements can be run again without harm.
//   - Nothing is taken from an account that others need: see power.go.
//   - A password never stands in a Plan; where one belongs there is a Part that says whose:
//     text, and the names in it, is never searched for such places.
package doctor
