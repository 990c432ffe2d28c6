//lint:file-ignore SA1019 the suites still ask for sampling, roots and logging

package mcpserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The fixture is an MCP server with everything that the official conformance
// suite asks a server to have. Only its names and texts are the suite's; behind
// our real router and middleware it shows that they leave the protocol alone.

// A picture of one pixel and a silent sound.
const (
	fixturePNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
	fixtureWAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
)

// newFixture makes the server. Its resource test://watched-resource changes
// every so often until the test ends.
func newFixture(t *testing.T) *mcp.Server {
	agree := func(context.Context, *mcp.SubscribeRequest) error { return nil }
	server := mcp.NewServer(&mcp.Implementation{Name: "fixture", Version: "1"}, &mcp.ServerOptions{
		CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{}}}, nil
		},
		SubscribeHandler:   agree,
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		SetCacheable:       cacheable,
	})
	for name, run := range fixtureTools(t, server) {
		server.AddTool(&mcp.Tool{Name: name, Description: "conformance: " + name, InputSchema: fixtureSchema(name)}, run)
	}
	addFixtureResources(t, server)
	addFixturePrompts(server)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go func() {
		for ctx.Err() == nil {
			_ = server.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: "test://watched-resource"})
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	return server
}

// fixtureSchema is {"type":"object"}, but for the tools whose schema is the test.
func fixtureSchema(name string) json.RawMessage {
	switch name {
	case "json_schema_2020_12_tool":
		return json.RawMessage(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
			"$defs": {"address": {"$anchor": "addressDef", "type": "object",
				"properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
			"properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"},
				"contactMethod": {"type": "string", "enum": ["phone", "email"]},
				"phone": {"type": "string"}, "email": {"type": "string"}},
			"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
			"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
			"then": {"required": ["phone"]}, "else": {"required": ["email"]},
			"additionalProperties": false}`)
	case "test_x_mcp_header":
		return json.RawMessage(`{"type": "object", "properties": {
			"region": {"type": "string", "x-mcp-header": "Region"}, "level": {"type": "integer"}}}`)
	}
	return json.RawMessage(`{"type":"object"}`)
}

func textResult(format string, args ...any) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}
}

func says(content ...mcp.Content) mcp.ToolHandler {
	return func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: content}, nil
	}
}

func fixtureBytes(t *testing.T, encoded string) []byte {
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func embedded(uri string) *mcp.EmbeddedResource {
	return &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: uri, MIMEType: "text/plain", Text: "embedded"}}
}

// fixtureTools are the tools of the suite, by name.
func fixtureTools(t *testing.T, server *mcp.Server) map[string]mcp.ToolHandler {
	image := &mcp.ImageContent{Data: fixtureBytes(t, fixturePNG), MIMEType: "image/png"}
	text := &mcp.TextContent{Text: "This is a simple text response for testing."}
	tools := map[string]mcp.ToolHandler{
		"test_simple_text":            says(text),
		"test_image_content":          says(image),
		"test_audio_content":          says(&mcp.AudioContent{Data: fixtureBytes(t, fixtureWAV), MIMEType: "audio/wav"}),
		"test_embedded_resource":      says(embedded("test://embedded-resource")),
		"test_multiple_content_types": says(text, image, embedded("test://mixed-content-resource")),
		"json_schema_2020_12_tool":    says(text),
		"test_x_mcp_header":           says(text),
		"test_streaming_elicitation":  says(text),
		"test_tool_with_progress":     fixtureProgress,
		"test_tool_with_logging":      fixtureLogging,
		"test_logging_tool":           fixtureLogging,
		"test_reconnection":           fixtureReconnection,
		"test_missing_capability":     fixtureCapability,
		"test_error_handling": func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			res := &mcp.CallToolResult{}
			res.SetError(errors.New("this tool fails on purpose"))
			return res, nil
		},
		"test_trigger_tool_change": func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			server.AddTool(&mcp.Tool{Name: "passing", Description: "comes and goes", InputSchema: json.RawMessage(`{"type":"object"}`)}, says())
			return textResult("the list of tools has changed"), nil
		},
		"test_trigger_prompt_change": func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			server.AddPrompt(&mcp.Prompt{Name: "passing", Description: "comes and goes"}, nil)
			return textResult("the list of prompts has changed"), nil
		},
	}
	addFixtureQuestions(tools)
	addFixtureRounds(tools)
	return tools
}

func fixtureProgress(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	for _, done := range []float64{0, 50, 100} {
		if err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
			ProgressToken: req.Params.GetProgressToken(), Progress: done, Total: 100,
		}); err != nil {
			return nil, err
		}
	}
	return textResult("%v", req.Params.GetProgressToken()), nil
}

func fixtureLogging(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	for _, text := range []string{"started", "working", "ended"} {
		if err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: text}); err != nil {
			return nil, err
		}
	}
	return textResult("logged"), nil
}

func fixtureReconnection(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if req.Extra.CloseSSEStream != nil {
		req.Extra.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: 10 * time.Millisecond})
	}
	return textResult("reconnected"), nil
}

func fixtureCapability(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if caps := req.ClientCapabilities(); caps != nil && caps.Sampling != nil {
		return textResult("sampling is there"), nil
	}
	data, err := json.Marshal(mcp.MissingRequiredClientCapabilityData{
		RequiredCapabilities: &mcp.ClientCapabilities{Sampling: &mcp.SamplingCapabilities{}},
	})
	if err != nil {
		return nil, err
	}
	return nil, &jsonrpc.Error{Code: mcp.CodeMissingRequiredClientCapabilities, Message: "needs sampling", Data: data}
}

// addFixtureQuestions adds the tools that ask the client something, as servers
// did before 2026-07-28.
func addFixtureQuestions(tools map[string]mcp.ToolHandler) {
	tools["test_sampling"] = func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		var in struct{ Prompt string }
		if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
			return nil, err
		}
		res, err := req.Session.CreateMessage(ctx, &mcp.CreateMessageParams{MaxTokens: 100,
			Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: in.Prompt}}}})
		if err != nil {
			return nil, err
		}
		answer, ok := res.Content.(*mcp.TextContent)
		if !ok {
			return nil, fmt.Errorf("content is %T", res.Content)
		}
		return textResult("LLM response: %s", answer.Text), nil
	}
	for name, schema := range map[string]string{
		"test_elicitation": `{"type":"object","properties":{"username":{"type":"string"},"email":{"type":"string"}},"required":["username"]}`,
		"test_elicitation_sep1034_defaults": `{"type":"object","properties":{
			"name":{"type":"string","default":"John Doe"}, "age":{"type":"integer","default":30}, "score":{"type":"number","default":95.5},
			"status":{"type":"string","enum":["active","inactive","pending"],"default":"active"}, "verified":{"type":"boolean","default":true}}}`,
		"test_elicitation_sep1330_enums": `{"type":"object","properties":{
			"untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
			"titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
			"legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],"enumNames":["Option One","Option Two","Option Three"]},
			"untitledMulti":{"type":"array","minItems":1,"maxItems":3,"items":{"type":"string","enum":["option1","option2","option3"]}},
			"titledMulti":{"type":"array","minItems":1,"maxItems":3,"items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}}}`,
	} {
		tools[name] = func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			res, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "please", RequestedSchema: json.RawMessage(schema)})
			if err != nil {
				return nil, err
			}
			return textResult("action=%s, content=%v", res.Action, res.Content), nil
		}
	}
}

// needs is a tool of 2026-07-28 that answers with a question until the client
// sends the answers along.
func needs(state string, questions mcp.InputRequestMap, answered func(mcp.InputResponseMap) string) mcp.ToolHandler {
	return func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if strings.HasSuffix(req.Params.RequestState, "-TAMPERED") {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "this is not a state of ours"}
		}
		if text := answered(req.Params.InputResponses); text != "" && req.Params.RequestState == state {
			return textResult("%s", text), nil
		}
		return &mcp.CallToolResult{InputRequests: questions, RequestState: state}, nil
	}
}

func elicit(property string) *mcp.ElicitParams {
	return &mcp.ElicitParams{Message: "what is your " + property + "?",
		RequestedSchema: json.RawMessage(`{"type":"object","properties":{"` + property + `":{"type":"string"}},"required":["` + property + `"]}`)}
}

func sample(prompt string) *mcp.CreateMessageParams {
	return &mcp.CreateMessageParams{MaxTokens: 100,
		Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: prompt}}}}
}

// elicited is the accepted answer to a question about one property; "" if none.
func elicited(answers mcp.InputResponseMap, question, property string) string {
	if res, ok := answers[question].(*mcp.ElicitResult); ok && res.Action == "accept" && res.Content[property] != nil {
		return fmt.Sprint(res.Content[property])
	}
	return ""
}

func sampled(answers mcp.InputResponseMap, question string) string {
	res, ok := answers[question].(*mcp.CreateMessageWithToolsResult)
	if !ok || len(res.Content) == 0 {
		return ""
	}
	if text, ok := res.Content[0].(*mcp.TextContent); ok {
		return text.Text
	}
	return ""
}

// addFixtureRounds adds the tools that need several rounds (2026-07-28).
func addFixtureRounds(tools map[string]mcp.ToolHandler) {
	const prefix = "test_input_required_result_"
	confirm := mcp.InputRequestMap{"confirm": &mcp.ElicitParams{Message: "sure?",
		RequestedSchema: json.RawMessage(`{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}`)}}
	confirmed := func(a mcp.InputResponseMap) string {
		if elicited(a, "confirm", "ok") == "" {
			return ""
		}
		return "state-ok"
	}
	tools[prefix+"elicitation"] = needs("", mcp.InputRequestMap{"user_name": elicit("name")}, func(a mcp.InputResponseMap) string {
		return elicited(a, "user_name", "name")
	})
	tools[prefix+"sampling"] = needs("", mcp.InputRequestMap{"capital_question": sample("What is the capital of France?")}, func(a mcp.InputResponseMap) string {
		return sampled(a, "capital_question")
	})
	tools[prefix+"list_roots"] = needs("", mcp.InputRequestMap{"client_roots": &mcp.ListRootsParams{}}, func(a mcp.InputResponseMap) string {
		if _, ok := a["client_roots"].(*mcp.ListRootsResult); !ok {
			return ""
		}
		return "roots came"
	})
	tools[prefix+"request_state"] = needs("state", confirm, confirmed)
	tools[prefix+"tampered_state"] = needs("state", confirm, confirmed)
	tools[prefix+"multiple_inputs"] = needs("all", mcp.InputRequestMap{
		"user_name": elicit("name"), "greeting": sample("Greet me"), "client_roots": &mcp.ListRootsParams{},
	}, func(a mcp.InputResponseMap) string {
		if _, ok := a["client_roots"].(*mcp.ListRootsResult); !ok || sampled(a, "greeting") == "" {
			return ""
		}
		return elicited(a, "user_name", "name")
	})
	first := needs("first", mcp.InputRequestMap{"step1": elicit("name")}, func(mcp.InputResponseMap) string { return "" })
	second := needs("second", mcp.InputRequestMap{"step2": elicit("color")}, func(a mcp.InputResponseMap) string {
		return elicited(a, "step2", "color")
	})
	tools[prefix+"multi_round"] = func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if req.Params.RequestState == "" {
			return first(ctx, req)
		}
		return second(ctx, req)
	}
	tools[prefix+"capabilities"] = fixtureCapabilities
}

// fixtureCapabilities asks only for what the client said it can answer.
func fixtureCapabilities(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	can := req.ClientCapabilities()
	if len(req.Params.InputResponses) > 0 || can == nil {
		return textResult("enough"), nil
	}
	questions := mcp.InputRequestMap{}
	if can.Elicitation != nil {
		questions["user_name"] = elicit("name")
	}
	if can.Sampling != nil {
		questions["greeting"] = sample("Greet me")
	}
	if can.RootsV2 != nil {
		questions["client_roots"] = &mcp.ListRootsParams{}
	}
	if len(questions) == 0 {
		return textResult("enough"), nil
	}
	return &mcp.CallToolResult{InputRequests: questions}, nil
}

func addFixtureResources(t *testing.T, server *mcp.Server) {
	read := func(contents mcp.ResourceContents) mcp.ResourceHandler {
		return func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			c := contents
			c.URI = req.Params.URI
			if c.Text == "" && c.Blob == nil {
				c.Text = fmt.Sprintf(`{"id":%q}`, strings.Split(strings.TrimPrefix(req.Params.URI, "test://template/"), "/")[0])
			}
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{&c}}, nil
		}
	}
	server.AddResource(&mcp.Resource{Name: "text", URI: "test://static-text", MIMEType: "text/plain"},
		read(mcp.ResourceContents{MIMEType: "text/plain", Text: "This is the content of the static text resource."}))
	server.AddResource(&mcp.Resource{Name: "binary", URI: "test://static-binary", MIMEType: "image/png"},
		read(mcp.ResourceContents{MIMEType: "image/png", Blob: fixtureBytes(t, fixturePNG)}))
	server.AddResource(&mcp.Resource{Name: "watched", URI: "test://watched-resource", MIMEType: "text/plain"},
		read(mcp.ResourceContents{MIMEType: "text/plain", Text: "it changes"}))
	server.AddResourceTemplate(&mcp.ResourceTemplate{Name: "template", URITemplate: "test://template/{id}/data", MIMEType: "application/json"},
		read(mcp.ResourceContents{MIMEType: "application/json"}))
}

func addFixturePrompts(server *mcp.Server) {
	add := func(name string, arguments []string, messages func(map[string]string) []mcp.Content) {
		p := &mcp.Prompt{Name: name, Description: "conformance: " + name}
		for _, a := range arguments {
			p.Arguments = append(p.Arguments, &mcp.PromptArgument{Name: a, Required: true})
		}
		server.AddPrompt(p, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			res := &mcp.GetPromptResult{}
			for _, content := range messages(req.Params.Arguments) {
				res.Messages = append(res.Messages, &mcp.PromptMessage{Role: "user", Content: content})
			}
			return res, nil
		})
	}
	text := func(s string) mcp.Content { return &mcp.TextContent{Text: s} }
	add("test_simple_prompt", nil, func(map[string]string) []mcp.Content {
		return []mcp.Content{text("This is a simple prompt for testing.")}
	})
	add("test_prompt_with_arguments", []string{"arg1", "arg2"}, func(a map[string]string) []mcp.Content {
		return []mcp.Content{text("Prompt with arguments: arg1='" + a["arg1"] + "', arg2='" + a["arg2"] + "'")}
	})
	add("test_prompt_with_embedded_resource", []string{"resourceUri"}, func(a map[string]string) []mcp.Content {
		return []mcp.Content{embedded(a["resourceUri"]), text("Please process the resource above.")}
	})
	add("test_prompt_with_image", nil, func(map[string]string) []mcp.Content {
		png, _ := base64.StdEncoding.DecodeString(fixturePNG)
		return []mcp.Content{&mcp.ImageContent{Data: png, MIMEType: "image/png"}, text("Please look at the image above.")}
	})
	server.AddPrompt(&mcp.Prompt{Name: "test_input_required_result_prompt", Description: "asks first"},
		func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			if given := elicited(req.Params.InputResponses, "user_context", "context"); given != "" {
				return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: text(given)}}}, nil
			}
			return &mcp.GetPromptResult{InputRequests: mcp.InputRequestMap{"user_context": elicit("context")}}, nil
		})
}
