package main

import (
	"regexp"
	"strings"
	"testing"
)

// What the page on token processors tells to write is accepted as it stands.
func TestProcessorManualsExamples(t *testing.T) {
	text := readText(t, processorManual)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(examples) < 9 {
		t.Fatalf("the page has only %d examples", len(examples))
	}
	for _, e := range examples {
		name := strings.TrimSpace(strings.Split(e[1], "\n")[1])
		t.Run(name, func(t *testing.T) { mustLoad(t, least+e[1]) })
	}
}
