// Package mcpserver is the MCP door: it lets people's agents ask ClickHouse
// through the tools query, search_schema, describe_tables and whoami.
//
// An HTTP request goes one way:
//
//	request ─▶ host and origin ─▶ token ─▶ visit (who, request id, how to answer)
//	        ─▶ era: MCP-Protocol-Version ≥ 2026-07-28 ─▶ without sessions
//	                older or none                     ─▶ with sessions
//	        ─▶ the SDK's protocol ─▶ attend (cancellation, panics, one log line)
//	        ─▶ tool ─▶ gate.Query ─▶ text ─▶ the reply, around the SDK's marshalling
//
// A State outlives the configuration, with the sessions; a Server is the door under one
// configuration.
//
// The rule of this package: a handler knows the person, and the rules, only from the
// visit that came with the very request it serves, in req.Extra. The context of a handler
// in an older session carries the values of the request that opened the session,
// so nothing is ever read from there.
//
// The door knows tools and texts. What a statement may do, who the person is at
// ClickHouse, limits and the audit record are the gate's.
package mcpserver
