package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"porterhouse"
)

// Who is it? Subject is the provider's own id of the person, User the name, and
// the groups are as the provider names them.

const maxSubject = 255 // bytes; OpenID Connect allows as many characters

// readSubject finds the person's id. An empty one would make everybody the same.
func (h *hearing) readSubject() error {
	var missing []string
	for _, together := range h.trait.subjects {
		subject, err := joined(h.claims, together)
		if err != nil {
			return refuse("%w", err)
		}
		if subject == "" {
			missing = append(missing, strings.Join(together, " and "))
			continue
		}
		if !isPrintable(subject, maxSubject) {
			return refuse("its subject %q has characters that cannot be seen, or more than %d bytes", abridged(subject), maxSubject)
		}
		h.who.Subject = subject
		h.note("subject: %s is %q", shown(together), subject)
		h.who.TokenID, err = tokenIDOf(h.claims)
		return err
	}
	return refuse("it does not say who it is about (%s)", strings.Join(missing, ", or "))
}

// joined is several claims as one text; "" when one of them is not there.
func joined(c claims, several []string) (string, error) {
	texts := make([]string, len(several))
	for i, name := range several {
		var err error
		if texts[i], err = c.text(name); err != nil || texts[i] == "" {
			return "", err
		}
	}
	return strings.Join(texts, "@"), nil
}

const maxTokenID = 128 // bytes

// tokenIDOf is jti where it can stand in a record.
func tokenIDOf(c claims) (string, error) {
	id, err := c.text("jti")
	if err != nil {
		return "", refuse("%w", err)
	}
	if !isPrintable(id, maxTokenID) {
		return "", nil
	}
	return id, nil
}

// readName finds the person's name, which no token may be without.
func (h *hearing) readName() error {
	var tried []string
	for _, p := range h.names {
		value := p.find(h.claims)
		if value == nil {
			tried = append(tried, p.whole)
			continue
		}
		name, ok := value.(string)
		if !ok {
			return refuse("the name (%s) is %s, not a text", p.whole, shapeOf(value))
		}
		if err := checkName(name); err != nil {
			return refuse("the name %q (%s): %w", abridged(name), p.whole, err)
		}
		if isEmail(p) && !isVerified(h.claims, h.from) {
			return notAllowed("your e-mail address is not verified at the identity provider; verify it there, then sign in again",
				"the name is the e-mail address %q (%s), and email_verified is not true", abridged(name), p.whole)
		}
		h.who.User = name
		h.note("name: %s is %q", p.whole, name)
		return nil
	}
	return refuse("it has no name: there is no claim %s", strings.Join(tried, " or "))
}

// isVerified reports whether the provider verified the e-mail address: a real true.
func isVerified(c claims, from claimSource) bool {
	value := c["email_verified"]
	return value == true || from.textual && value == "true"
}

// checkName holds a name to what can be shown and mapped. Which names are let in
// is for others to say.
func checkName(name string) error {
	if _, err := porterhouse.ParseUserName(name); err != nil {
		return err
	}
	if !norm.NFC.IsNormalString(name) {
		return errors.New("it is not in Unicode normal form C, so that another name looks the same")
	}
	return nil
}

// isEmail reports whether p leads to an e-mail address, plain or under a name that
// is a URL (https://acme.com/email).
func isEmail(p path) bool {
	name := strings.ToLower(p.last())
	return name == "email" || strings.HasSuffix(name, "/email")
}

// groupPath is a claim with groups, and what is written before each of them.
type groupPath struct {
	path
	prefix string
}

// groupPaths finds the groups: where the settings say, else where the type has
// them. Keycloak's client roles carry their client's name: it is another role
// than the realm's of the same name.
func groupPaths(s Settings, own trait) ([]groupPath, error) {
	paths, err := parsePaths(eitherOr(s.GroupsClaim, own.groups))
	if err != nil {
		return nil, err
	}
	var groups []groupPath
	for _, p := range paths {
		groups = append(groups, groupPath{path: p})
	}
	if s.GroupsClaim == "" && s.Type == "keycloak" {
		for _, client := range s.ClientIDs {
			roles := path{whole: fmt.Sprintf("resource_access.%q.roles", client), names: []string{"resource_access", client, "roles"}}
			groups = append(groups, groupPath{roles, client + ":"})
		}
	}
	return groups, nil
}

const maxGroup = 512 // bytes of a group's name

// readGroups gathers the groups, up to the limit. What cannot be a group's name is
// left out: fewer groups are fewer rights.
func (h *hearing) readGroups() error {
	dropped, seen := 0, map[string]bool{}
	for _, from := range h.groups {
		if h.trait.either && h.who.Groups != nil {
			break
		}
		list, err := textsOf(from.find(h.claims))
		if err != nil {
			return refuse("the groups (%s) are %w", from.whole, err)
		}
		if list != nil && h.who.Groups == nil {
			h.who.Groups = []string{}
		}
		for _, group := range list {
			if !isPrintable(group, maxGroup) {
				dropped++
				continue
			}
			if group = from.prefix + group; !seen[group] {
				seen[group] = true
				h.who.Groups = append(h.who.Groups, group)
			}
		}
		h.note("groups: %s has %d: %s", from.whole, len(list), shown(list))
	}
	if dropped > 0 {
		h.log.Warn("groups left out: their names are empty, too long, or have characters that cannot be seen", "processor", h.settings.Name, "user", h.who.User, "groups", dropped)
	}
	h.limitGroups()
	return nil
}

func (h *hearing) limitGroups() {
	limit := h.settings.groupLimit()
	if len(h.who.Groups) <= limit {
		return
	}
	h.log.Warn("groups left out: there are more than group_limit", "processor", h.settings.Name, "user", h.who.User, "groups", len(h.who.Groups), "limit", limit)
	h.note("groups: only the first %d of %d count (group_limit)", limit, len(h.who.Groups))
	h.who.Groups = slices.Clip(h.who.Groups[:limit])
}

// isPrintable reports whether text is there, at most that long, and shows every
// character that it has.
func isPrintable(text string, most int) bool {
	if text == "" || len(text) > most || !utf8.ValidString(text) {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
