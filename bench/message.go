package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The two eras of the Model Context Protocol. The first opens a session and
// keeps it; in the second every request stands alone.
const (
	sessionEra   = "2025-11-25"
	statelessEra = "2026-07-28"
)

// clientName is how the generator introduces itself.
const clientName = "porterhouse-bench"

// The keys under which a request of the stateless era carries what the session
// era agreed upon once, in initialize.
const (
	metaVersion      = "io.modelcontextprotocol/protocolVersion"
	metaClient       = "io.modelcontextprotocol/clientInfo"
	metaCapabilities = "io.modelcontextprotocol/clientCapabilities"
)

type object = map[string]any

// rpc is a JSON-RPC request, or a notification when id is 0.
func rpc(id int, method string, params object) ([]byte, error) {
	message := object{"jsonrpc": "2.0", "method": method, "params": params}
	if id != 0 {
		message["id"] = id
	}
	return json.Marshal(message)
}

func implementation() object { return object{"name": clientName, "version": "1"} }

// initializeParams opens a session.
func initializeParams() object {
	return object{"protocolVersion": sessionEra, "capabilities": object{}, "clientInfo": implementation()}
}

// statelessMeta is the _meta that every request of the stateless era carries.
func statelessMeta() object {
	return object{metaVersion: statelessEra, metaClient: implementation(), metaCapabilities: object{}}
}

// message returns the JSON-RPC message of an answer: the whole body, or the
// last event of an SSE stream (progress may come before it).
func message(body []byte) []byte {
	body = bytes.TrimSpace(body)
	if bytes.HasPrefix(body, []byte("{")) {
		return body
	}
	var last []byte
	for line := range bytes.Lines(body) {
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok && len(bytes.TrimSpace(data)) > 0 {
			last = bytes.TrimSpace(data)
		}
	}
	return last
}

// result is what a server says to initialize or tools/call.
type result struct {
	ProtocolVersion string `json:"protocolVersion"`
	IsError         bool   `json:"isError"`
	Content         []struct {
		Text string `json:"text"`
	} `json:"content"`
}

// text joins the texts of a tool's result.
func (r result) text() string {
	var b strings.Builder
	for _, c := range r.Content {
		b.WriteString(c.Text)
	}
	return b.String()
}

// parseResult reads an answer in full: what a call does once, before its
// numbers count.
func parseResult(body []byte) (result, error) {
	var m struct {
		Result *result `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	switch err := json.Unmarshal(message(body), &m); {
	case err != nil:
		return result{}, fmt.Errorf("not a JSON-RPC message: %w: %.200q", err, body)
	case m.Error != nil:
		return result{}, fmt.Errorf("JSON-RPC error %d: %.300s", m.Error.Code, m.Error.Message)
	case m.Result == nil:
		return result{}, fmt.Errorf("JSON-RPC message without a result: %.200q", body)
	case m.Result.IsError:
		return result{}, fmt.Errorf("the tool says: %.300s", m.Result.text())
	}
	return *m.Result, nil
}

// quickCheck is parseResult at a hundredth of its cost, for the calls that are
// timed. Inside a JSON string a quotation mark has a backslash before it, so
// no text of an answer can look like these two.
func quickCheck(body []byte) error {
	if !bytes.Contains(body, []byte(`"result":`)) || bytes.Contains(body, []byte(`"isError":true`)) {
		_, err := parseResult(body)
		return errors.Join(errors.New("an error instead of an answer"), err)
	}
	return nil
}
