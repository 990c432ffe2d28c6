package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// persona is a parsed Persona.
type persona struct {
	suffix          string
	clients, except []string
	roles           names
	profile         string
	constraints     Constraints
}

// separators are the characters that a suffix may begin with.
const separators = "!#$%&+,/:;=^|~"

func parsePersona(p Persona) (persona, error) {
	if p.Suffix == "" || !strings.Contains(separators, p.Suffix[:1]) {
		return persona{}, fmt.Errorf("the suffix %q does not begin with a separator, one of %s", p.Suffix, separators)
	}
	if name := p.Suffix[1:]; name == "" || strings.ContainsFunc(name, isNotSuffix) {
		return persona{}, fmt.Errorf("the suffix %q: letters of a–z, digits, - and _ are wanted behind the separator", p.Suffix)
	}
	if len(p.Clients) > 0 && len(p.Except) > 0 {
		return persona{}, errors.New("it names both the clients that it is for and those that it is not for: name one of the two")
	}
	if slices.Contains(p.Clients, "") || slices.Contains(p.Except, "") {
		return persona{}, errors.New("it names an empty client: tokens that name none get the persona that has no clients, or an except")
	}
	roles, err := parseNames("its roles", p.Roles, false)
	if err != nil {
		return persona{}, err
	}
	if err := checkProfile(p.Profile); err != nil {
		return persona{}, err
	}
	return persona{
		suffix:      p.Suffix,
		clients:     p.Clients,
		except:      p.Except,
		roles:       roles,
		profile:     p.Profile,
		constraints: Constraints{ReadOnly: !p.AllowWrites, Limits: p.Limits},
	}, nil
}

func isNotSuffix(r rune) bool {
	return !(r < 0x80 && isAlphanumeric(byte(r))) && r != '-' && r != '_'
}

// isFor reports whether a client acts through p. A token that names no client is
// of none that is listed.
func (p *persona) isFor(client string) bool {
	if len(p.clients) > 0 {
		return slices.Contains(p.clients, client)
	}
	return !slices.Contains(p.except, client)
}

// personaOf returns the persona of a client; nil: the person's own account.
func (r *rules) personaOf(client string, because *trail) *persona {
	for i := range r.personas {
		if p := &r.personas[i]; p.isFor(client) {
			because.say("the client %q acts as the persona %s", client, p.suffix)
			return p
		}
	}
	return nil
}

// narrow leaves an agent the roles that the person has and the persona allows.
func (p *persona) narrow(roles []string, because *trail) []string {
	var left []string
	for _, role := range roles {
		if p.roles.has(role) {
			left = append(left, role)
		} else {
			because.say("the persona %s does not have the role %q", p.suffix, role)
		}
	}
	return left
}
