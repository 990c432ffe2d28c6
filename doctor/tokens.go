package doctor

import (
	"cmp"
	"encoding/xml"
	"slices"
	"strings"
)

// Tokens says which tokens ClickHouse is shown in the mode Forward, as it is configured.
type Tokens struct {
	Configured bool     // it is said whom they are for (access.token); all below but SignIn and Unheld is about that
	SignIn     []string // the providers at which people sign in here, who are asked for them
	Wanted     string   // by what they are asked for, in words, such as "the scope a"; "": they are the provider's usual ones
	Audience   string   // whom they have to name (aud); "": anybody
	Exchanged  []string // token processors, at whose providers a token that somebody brings is exchanged for one
	Opens      []string // keys of ours by which those that name Audience open our own doors, too; none: they do not

	Processors []Processor // whose tokens they are
	Unheld     []string    // keys by which we refuse people, and for which ClickHouse has no word
}

// Processor is a token processor in the words of ClickHouse's configuration, without its
// secrets.
type Processor struct {
	Name string
	Keys []Key
}

// Key is one line of it.
type Key struct{ Name, Value string }

// tokens says where tokens for ClickHouse come from, and what it has to know of them.
func (e entry) tokens() {
	t := e.Tokens
	if t == nil {
		return
	}
	e.unheld()
	if !t.Configured {
		e.fine("token", "a token that somebody brings goes on as it is, unless it names nobody, or nobody but this server (aud): say clusters.%s.access.token: {audience: …}, if ClickHouse is called as this server is", e.Cluster)
		if len(t.SignIn) > 0 {
			e.add(Finding{Wrong, "token", "who signs in here is kept out: ClickHouse cannot verify tokens of ours, and is never shown one, and it is not said which token to ask " + strings.Join(t.SignIn, ", ") + " for",
				"say clusters." + e.Cluster + ".access.token: {resource: …}, or scope, or audience: what ClickHouse is to the identity provider", ""})
		}
		return
	}
	for _, provider := range t.SignIn {
		e.fine("token", "for who signs in here, %s is asked for %s, which %s", provider, t.kind(), t.condition())
	}
	for _, processor := range t.Exchanged {
		e.fine("token", "a token that somebody of %s brings, and that does not name ClickHouse, is exchanged there for a token for %s, which %s", processor, cmp.Or(t.Wanted, t.Audience), t.condition())
	}
	switch {
	case t.Audience == "":
		e.add(Finding{Careful, "token-audience", "tokens go on whatever they are for (allow_any_audience): ClickHouse, and whoever reads along there, could use them elsewhere",
			"let the provider name ClickHouse in them (aud), and say access.token.audience in the place of allow_any_audience", ""})
	case len(t.Opens) > 0:
		e.add(Finding{Careful, "token-audience", "tokens for ClickHouse (" + t.Audience + ") open our own doors, too, by " + strings.Join(t.Opens, ", ") + ": whoever reads along at ClickHouse could come in here as anybody who asks there",
			"give ClickHouse a name of its own at the provider, say it in access.token.audience, and nowhere else", ""})
	}
	e.takeTokens()
}

// unheld tells which rules of ours end where somebody goes to ClickHouse without us.
func (e entry) unheld() {
	if unheld := e.Tokens.Unheld; len(unheld) > 0 {
		e.add(Finding{Careful, "token-rules", "ClickHouse takes tokens itself, and has no word for " + strings.Join(unheld, ", ") + ": whomever we refuse by that it lets in, if they go there with their token themselves",
			"let the identity provider give nobody else a token for ClickHouse, or let nobody but this server reach ClickHouse", ""})
	}
}

// kind is which tokens are asked for.
func (t Tokens) kind() string {
	if t.Wanted == "" {
		return "its usual access token"
	}
	return "a token for " + t.Wanted
}

// condition is when one goes on.
func (t Tokens) condition() string {
	if t.Audience == "" {
		return "goes on whatever it is for"
	}
	return "goes on if it names " + t.Audience + " (aud)"
}

// takeTokens tells ClickHouse which tokens are right. Nobody can see from outside whether
// it has been told, because it says the same of every token that is not.
func (e entry) takeTokens() {
	var b strings.Builder
	b.WriteString("<clickhouse>\n    <enable_token_auth>1</enable_token_auth>\n    <token_processors>\n")
	for _, p := range e.Tokens.Processors {
		keys := p.Keys
		if e.Tokens.Audience != "" {
			keys = append(slices.Clone(keys), Key{"expected_audience", e.Tokens.Audience})
		}
		name := tagOf(p.Name)
		b.WriteString("        <" + name + ">\n")
		for _, key := range keys {
			b.WriteString("            <" + key.Name + ">" + escaped(key.Value) + "</" + key.Name + ">\n")
		}
		b.WriteString("        </" + name + ">\n")
	}
	b.WriteString("    </token_processors>\n</clickhouse>\n")
	if len(e.Tokens.Processors) > 0 {
		e.plan.Files = append(e.plan.Files, File{"config.d/porterhouse-tokens.xml", b.String(),
			"tells a build with token_processors which tokens are right, unless it knows; static_jwks_file has to be a file there, and each <…> in it is a secret for you to put in; people without a user there need user_directories.token as well, with the roles that they are to have. ClickHouse Cloud is told in its console"})
	}
}

// tagOf is a name as that of a tag, in which not every character may stand.
func tagOf(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	if strings.IndexFunc(name, func(r rune) bool { return r == '-' || '0' <= r && r <= '9' }) == 0 {
		return "_" + name
	}
	return name
}

// escaped is text as it stands between tags.
func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
