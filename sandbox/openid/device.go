package openid

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// device is a program without a browser that waits for a person (RFC 8628).
type device struct {
	grant
	user   string // the code that the person types, without its hyphen
	denied bool
	asked  time.Time     // when it last asked whether the person is there
	pause  time.Duration // that it must leave between two questions
}

const devicePause = 5 * time.Second

// deviceAuthorization gives a device its two codes.
func (p *Provider) deviceAuthorization(w http.ResponseWriter, r *http.Request) {
	client, no := p.authenticate(r)
	if no != nil {
		no.write(w)
		return
	}
	d := device{grant: grant{client: client.ID, scopes: known(r.PostForm.Get("scope"))}, user: userCode(), pause: devicePause}
	key, err := p.devices.add(d)
	if err != nil {
		no = &failure{"temporarily_unavailable", err.Error()}
		no.write(w)
		return
	}
	shown := d.user[:4] + "-" + d.user[4:]
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code": key, "user_code": shown,
		"verification_uri":          p.Issuer + "/device",
		"verification_uri_complete": p.Issuer + "/device?user_code=" + shown,
		"expires_in":                int(deviceLife.Seconds()), "interval": int(devicePause.Seconds()),
	})
}

// consonants make no words, and none looks like another (RFC 8628, 6.1).
const consonants = "BCDFGHJKLMNPQRSTVWXZ"

// userCode makes eight of them.
func userCode() string {
	var random [8]byte
	for i := range random {
		for { // 240 is the last multiple of 20: no letter is likelier than another
			rand.Read(random[i : i+1]) // never fails
			if random[i] < 240 {
				break
			}
		}
		random[i] = consonants[int(random[i])%len(consonants)]
	}
	return string(random[:])
}

// normal is a user code as a person may have typed it.
func normal(typed string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(consonants, r) {
			return r
		}
		return -1
	}, strings.ToUpper(typed))
}

// devicePage asks for the code of the other screen, and for who one is.
func (p *Provider) devicePage(w http.ResponseWriter, r *http.Request) {
	typed := r.FormValue("user_code")
	page := chooser{Action: "device", Code: typed, Typing: true, People: p.people.choices()}
	if r.Method != http.MethodPost {
		p.pages.write(w, http.StatusOK, "choose", page)
		return
	}
	subject := r.PostFormValue("person")
	_, ok := p.people.find(subject)
	user := normal(typed)
	key, found := p.devices.key(func(d device) bool {
		return d.subject == "" && !d.denied && len(user) == 8 && subtle.ConstantTimeCompare([]byte(d.user), []byte(user)) == 1
	})
	found = found && p.devices.change(key, func(d *device) (keep bool) {
		d.denied = !ok
		if ok {
			d.subject, d.at = subject, p.Now()
		}
		return true
	})
	if !found {
		page.Problem = "No device waits with this code. Look at its screen again; codes end after ten minutes."
		p.pages.write(w, http.StatusBadRequest, "choose", page)
		return
	}
	p.pages.write(w, http.StatusOK, "done", ok)
}

// poll is the device's grant.
func (p *Provider) poll(client Client, form url.Values) (answer, *failure) {
	no := &failure{"invalid_grant", "the device code is unknown, or was used"}
	var g grant
	found := p.devices.change(form.Get("device_code"), func(d *device) (keep bool) {
		now := p.Now()
		switch {
		case d.client != client.ID:
			no = &failure{"invalid_grant", "the device code was given to another client"}
		case d.denied:
			no = &failure{"access_denied", "the person said no"}
			return false
		case d.subject != "":
			g, no = d.grant, nil
			return false
		case now.Sub(d.asked) < d.pause:
			d.pause += devicePause // RFC 8628, 3.5
			no = &failure{"slow_down", "ask less often"}
		default:
			no = &failure{"authorization_pending", "nobody has typed the code yet"}
		}
		d.asked = now
		return true
	})
	if no != nil {
		if !found {
			no = &failure{"expired_token", "the device code is unknown, was used, or its ten minutes are over"}
		}
		return answer{}, no
	}
	return p.first(g)
}
