package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"porterhouse/sandbox/fake"
)

// check looks at every server of a cluster, and says where they are not alike.
func TestCheckOfSeveralServers(t *testing.T) {
	c := openChecked(t)
	c.dress("26.7")
	old, _ := fake.Named("old")
	other, err := fake.Start(old, c.real.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	alone := readText(t, c.config)
	_, url, _ := strings.Cut(alone, "url: '")
	url, _, _ = strings.Cut(url, "'")
	const nobody = "http://127.0.0.1:1"
	c.replace(alone, "url: '"+url+"'", "hosts: [{url: '"+nobody+"'}, {url: '"+url+"'}, {url: '"+other.URL+"'}]")

	code, out, _ := c.check("")
	if code != 1 {
		t.Errorf("it ends with %d", code)
	}
	for _, part := range []string{
		"Cluster main, " + url, "server " + nobody + ": not reached", "server " + url + ": version 26.", "server " + other.URL + ": version " + old.Version,
		"WRONG   " + nobody + ": nobody listens there", "check the port in its url in hosts", "WRONG   EXECUTE AS works at " + url + " and not at " + other.URL, " has " + old.Version,
	} {
		if !strings.Contains(out, part) {
			t.Errorf("it says nothing of %q:\n%s", part, out)
		}
	}
	code, out, _ = c.check("", "--json")
	var report checkReport
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 1 {
		t.Fatalf("%d %v", code, err)
	}
	if servers := report.Clusters[0].Servers; len(servers) != 3 || servers[0].URL != url || servers[0].Mode != "execute_as" {
		t.Errorf("the servers are %+v", servers)
	}

	// Those that are alike are no finding, and the SQL is run at one of them.
	c.replace(alone, "url: '"+url+"'", "hosts: [{url: '"+url+"'}, {url: '"+c.real.HTTP+"'}]")
	admin := []string{"--host", "127.0.0.1", "--apply", "--yes", "--admin", c.real.User, "--password", "env:ADMIN"}
	if code, out, told := c.check("", admin...); strings.Contains(out, " works at ") || strings.Contains(out, "not reached") {
		t.Errorf("%d %s\n%s", code, out, told)
	}
	if code, out, _ := c.check("", "--host", "127.0.0.1"); code != 0 {
		t.Errorf("after the SQL was run it ends with %d:\n%s", code, out)
	}
	c.replace(alone, "url: '"+url+"'", "hosts: [{url: '"+nobody+"'}, {url: 'http://127.0.0.1:2'}]")
	if code, out, _ := c.check(""); code != 1 && code != 3 || strings.Count(out, "nobody listens there") != 2 {
		t.Errorf("nobody is there, and it ends with %d:\n%s", code, out)
	}
}

// replace writes the configuration text, in other words.
func (c checked) replace(text, old, with string) {
	c.Helper()
	if err := os.WriteFile(c.config, []byte(strings.Replace(text, old, with, 1)), 0o600); err != nil {
		c.Fatal(err)
	}
}
