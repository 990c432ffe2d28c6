package clickhouse

import (
	"context"
	"errors"
	"fmt"

	"porterhouse"
)

// byPassword is the way of an account whose owner has shown its own password, in
// whatever mode: as with a direct login.
type byPassword struct {
	personal
	client *Client
}

// check implements way. default is refused because it has often no password, and
// every right, for whoever asks from ClickHouse's own host.
func (w byPassword) check(_ context.Context, as porterhouse.Account, _ *porterhouse.Query) error {
	if err := checkUser(as.User, w.client.cleaner.gateway); err != nil {
		return err
	}
	if as.User.String() == "default" {
		return porterhouse.Errorf(porterhouse.Refused, "nobody logs in as the account default through Porterhouse")
	}
	return checkBasic(as.User)
}

// login implements way.
func (byPassword) login(_ context.Context, as porterhouse.Account, _ string) (string, error) {
	return basic(as.User.String(), as.Password), nil
}

// explain implements way. That a password is refused is for its owner to see.
func (byPassword) explain(porterhouse.Exception, porterhouse.UserName) (porterhouse.Kind, string) {
	return "", ""
}

// Login asks ClickHouse whether this is the user's password. The error is a
// *porterhouse.Error: Unauthenticated when it is not, Unavailable when nobody can
// tell. An empty password, the user default and the gateway's own are always refused.
func (c *Client) Login(ctx context.Context, user porterhouse.UserName, password porterhouse.Secret) error {
	as := porterhouse.Account{User: user, Password: password}
	way := byPassword{client: c}
	if err := way.check(ctx, as, nil); password.IsZero() || err != nil {
		return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: "without a password, and with this user name, nobody logs in here", Err: err}
	}
	answer, err := c.logins.bare(ctx, basic(user.String(), password), "SELECT 1")
	if text, ok := errors.AsType[exceptionText](err); ok {
		return notLoggedIn(user, text)
	}
	if err == nil && answer != "1\n" {
		return strange(answer)
	}
	return err
}

// notLoggedIn says why a login did not work.
func notLoggedIn(user porterhouse.UserName, text exceptionText) error {
	e, _ := parseException(string(text))
	if failedLogin[e.Code] {
		return &porterhouse.Error{Kind: porterhouse.Unauthenticated, Public: fmt.Sprintf("%s: Authentication failed: password is incorrect, or there is no user with such name.", user), Code: authenticationFailed, Err: text}
	}
	return &porterhouse.Error{Kind: porterhouse.Unavailable, Public: fmt.Sprintf("ClickHouse could not tell whether the password of %q is right; try again in a moment", user), Err: text}
}
