// Package e2e holds the end-to-end tests: the real program, built with the race
// detector and run as an operator runs it, in front of a real ClickHouse, asked
// by real clients over real sockets. It has no code of its own.
package e2e
