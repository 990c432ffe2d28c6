package directory

import (
	"encoding/json"
	"fmt"
	"strings"

	"porterhouse"
)

// policy is what the Provisioner takes for its own: accounts, roles and settings.
type policy struct {
	config ProvisionerConfig
	on     string // the ON CLUSTER clause, with a space before it
}

// within refuses names that are none of ours to make.
func (p *policy) within(name porterhouse.UserName) error {
	switch text := name.String(); {
	case name.IsZero():
		return porterhouse.Errorf(porterhouse.Internal, "no account was named")
	case p.isStaff(text):
		return p.refuse(name, fmt.Errorf("%q is an account of Porterhouse or of the server itself", text))
	case !strings.HasPrefix(text, p.config.Prefix):
		return p.refuse(name, fmt.Errorf("it does not begin with %q", p.config.Prefix))
	}
	return nil
}

// isStaff reports whether a name is one that nobody acts as, whatever its grants.
func (p *policy) isStaff(name string) bool {
	return name == alwaysDenied || name == p.config.Gateway || name == p.config.Admin.User()
}

func (p *policy) refuse(name porterhouse.UserName, why error) error {
	return &porterhouse.Error{
		Kind:   porterhouse.Refused,
		Public: "your ClickHouse account is not one that Porterhouse makes; ask the operator of this server",
		Err:    fmt.Errorf("the account %q: %w", name, why),
	}
}

// origin tells who made a user, by a census. Without the prefix the marker role
// means nothing: whoever administers it could give it to others.
func (p *policy) origin(name string, c *census) Origin {
	r, exists := c.users[name]
	switch {
	case c.privileged[name]:
		return Privileged
	case !exists:
		return Missing
	case r.has(p.config.Marker) && strings.HasPrefix(name, p.config.Prefix):
		return Ours
	}
	return Local
}

// sort tells the roles that we may give from those that we cannot: because they do
// not exist, or are not ours to hand out, or carry access management.
func (p *policy) sort(roles []string, c *census) (give, lacking []string) {
	for _, role := range roles {
		if c.handed[role] && !c.powerful[role] {
			give = append(give, role)
		} else if role != p.config.Marker {
			lacking = append(lacking, role)
		}
	}
	return give, lacking
}

// comment is the log_comment of a statement: rid is the id of the audit record's lines.
func (p *policy) comment(id, action string) string {
	text, err := json.Marshal(struct {
		Record string `json:"rid,omitempty"`
		Action string `json:"account"`
	}{id, action})
	if err != nil {
		return ""
	}
	return string(text)
}
