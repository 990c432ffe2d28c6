// Package porterhouse is the vocabulary of the house: the words that every
// other package speaks. It knows neither HTTP nor OAuth nor SQL nor MCP.
//
// One question goes one way:
//
//	token ──identity──▶ Principal ──directory──▶ Account
//	                        │                       │
//	door ──▶ Query ──▶ gate (statement check, limits, audit record)
//	                        │
//	                   clickhouse ──▶ Answer, back up the same stack
//
// A failure on the way is an Error: a public half for the caller and a private
// half for the log.
package porterhouse
