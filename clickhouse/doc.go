// Package clickhouse runs a statement as an Account: one file for each access
// mode, everything else shared. It knows accounts, not people.
//
// One question goes one way:
//
//	Query ─▶ lane (lane.go): its way (access.go) ─▶ login, prefix ─▶ request (request.go) ─▶ send (call.go)
//	          │                                                             │
//	          ├ execute_as.go, and native.go for what it cannot carry       │
//	          └ verify.go, forward.go, static.go, password.go               │
//	                                                                        │
//	   Answer ◀─ whole lines, limits ◀─ rows or exception? ◀─ body of the response ◀┘
//	           (body.go, meter.go)      (stream.go)
//
// and ends in exactly one of two ways: ClickHouse is done with it, or it is
// abandoned and killed (kill.go, victim.go), because ClickHouse does not always
// stop a statement when a connection closes. A KILL names whose statement it means:
// clients choose query_ids, and two may choose the same.
//
// To a Passage the body is the Answer as it is (passage.go), and what the client
// uploads travels while the answer is read (upload.go, tables.go). One connection
// carries one exchange at a time (pool.go, exchange.go, outgoing.go, response.go).
//
// What works at a server is found by looking (probe.go): Probe asks harmless questions
// side by side and returns Facts, of which Choose makes a mode (lane.go). The mode Auto
// does so by itself, before the first question and when the server changes (auto.go).
// What one has to know of versions is one table (traps.go).
//
// With Config.Shadow some of what was read is asked again, in two modes, and the answers
// are compared (shadow.go).
//
// The rules:
//   - One call of Query is at most one statement in ClickHouse. A statement that
//     may have started is never sent again.
//   - Each request is written anew, from what the Query says (request.go,
//     request_passage.go). What is ours to set is set once.
//   - The person's SQL is the body of the request, byte for byte. Nothing is
//     added to it, and the prefix that names the person travels apart from it.
//   - An answer is complete or says that it is not: by Summary.Cut, or by an
//     error of Read. What a body must look like to be complete is in stream.go.
//   - An upload is whole, or broken for ClickHouse to see: its end is sent when the
//     client has said that it was all. Nobody reads a client's data any more when
//     its answer is closed.
//   - Every phase has an end: see Config.
//   - An error is a *porterhouse.Error, whose public half names no host, not the
//     gateway's account and no version (exception.go, codes.go).
package clickhouse
