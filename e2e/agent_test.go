package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The two eras of the protocol.
const (
	sessions  = "2025-11-25"
	stateless = "2026-07-28"
)

func bothEras(t *testing.T, f func(t *testing.T, era string)) {
	for _, era := range []string{sessions, stateless} {
		t.Run(era, func(t *testing.T) { f(t, era) })
	}
}

// agent is a small MCP client: one person, one era, one connection pool.
type agent struct {
	url, token, era string
	http            *http.Client
	session         string
}

// agent connects as the person of a token.
func (h *house) agent(token, era string) (*agent, error) {
	a := &agent{url: h.url + "/mcp", token: token, era: era, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}}
	if era == stateless {
		return a, nil
	}
	_, err := a.rpc(context.Background(), "initialize", map[string]any{
		"protocolVersion": era, "capabilities": map[string]any{}, "clientInfo": clientInfo(),
	})
	return a, err
}

func (h *house) mustAgent(person, era string) *agent {
	h.t.Helper()
	a, err := h.agent(h.tokens[person], era)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// end closes the session, if there is one, and the connections.
func (a *agent) end(ctx context.Context) error {
	defer a.http.CloseIdleConnections()
	if a.session == "" {
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, a.url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("MCP-Protocol-Version", a.era)
	request.Header.Set("Mcp-Session-Id", a.session)
	response, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(response.Body)
		return &statusError{response.StatusCode, response.Header, string(text)}
	}
	return nil
}

func clientInfo() map[string]any { return map[string]any{"name": "e2e", "version": "1"} }

// toolError is a result that the tool marked as an error.
type toolError struct{ text string }

func (e *toolError) Error() string { return e.text }

// statusError is an HTTP answer that is no MCP message.
type statusError struct {
	code   int
	header http.Header
	body   string
}

func (e *statusError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.code, e.body) }

// call calls a tool and returns its text.
func (a *agent) call(ctx context.Context, tool string, arguments map[string]any) (string, error) {
	raw, err := a.rpc(ctx, "tools/call", map[string]any{"name": tool, "arguments": arguments})
	if err != nil {
		return "", err
	}
	var result struct {
		IsError bool
		Content []struct{ Text string }
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		return "", err
	}
	var text strings.Builder
	for _, c := range result.Content {
		text.WriteString(c.Text)
	}
	if result.IsError {
		return "", &toolError{text.String()}
	}
	return text.String(), nil
}

// rows asks in the json format and returns the rows.
func (a *agent) rows(ctx context.Context, sql string) ([][]any, error) {
	text, err := a.call(ctx, "query", map[string]any{"sql": sql, "format": "json", "max_rows": 10000})
	if err != nil {
		return nil, err
	}
	at := strings.IndexByte(text, '{')
	if at < 0 {
		return nil, fmt.Errorf("no JSON in %q", text)
	}
	var answer struct{ Rows [][]any }
	d := json.NewDecoder(strings.NewReader(text[at:]))
	d.UseNumber()
	return answer.Rows, errors.Join(d.Decode(&answer))
}

// rpc sends one message and returns the result of its answer.
func (a *agent) rpc(ctx context.Context, method string, params map[string]any) (json.RawMessage, error) {
	if a.era == stateless {
		params["_meta"] = map[string]any{
			"io.modelcontextprotocol/protocolVersion":    a.era,
			"io.modelcontextprotocol/clientInfo":         clientInfo(),
			"io.modelcontextprotocol/clientCapabilities": map[string]any{},
		}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	if a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	if method != "initialize" {
		request.Header.Set("MCP-Protocol-Version", a.era)
	}
	if a.era == stateless {
		request.Header.Set("Mcp-Method", method)
		if name, ok := params["name"].(string); ok {
			request.Header.Set("Mcp-Name", name)
		}
	}
	if a.session != "" {
		request.Header.Set("Mcp-Session-Id", a.session)
	}
	response, err := a.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return nil, &statusError{response.StatusCode, response.Header, string(text)}
	}
	if id := response.Header.Get("Mcp-Session-Id"); id != "" {
		a.session = id
	}
	return readResult(response)
}

// readResult finds the answer in a JSON body or in an event stream.
func readResult(response *http.Response) (json.RawMessage, error) {
	var last []byte
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		lines := bufio.NewReader(response.Body)
		for {
			line, err := lines.ReadBytes('\n')
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && len(bytes.TrimSpace(data)) > 0 {
				last = data
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
		}
	} else {
		var err error
		if last, err = io.ReadAll(response.Body); err != nil {
			return nil, err
		}
	}
	var message struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(last, &message); err != nil {
		return nil, fmt.Errorf("%w in %.200q", err, last)
	}
	if message.Error != nil {
		return nil, fmt.Errorf("JSON-RPC error %d: %s", message.Error.Code, message.Error.Message)
	}
	return message.Result, nil
}
