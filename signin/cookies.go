package signin

import (
	"net/http"
	"net/url"
)

// cookies is how ours look.
type cookies struct {
	prefix string
	secure bool
}

// cookiesOf chooses for a public URL. Over https no other host and no subdomain can
// set a cookie of ours (the __Host- prefix). On loopback browsers tell hosts apart
// but not ports, so there the port is in the name.
func cookiesOf(public *url.URL) cookies {
	if public.Scheme == "https" {
		return cookies{"__Host-porterhouse-", true}
	}
	return cookies{"porterhouse-" + public.Port() + "-", false}
}

// set gives a browser a cookie: for life seconds, or until it is closed (0).
func (c cookies) set(w http.ResponseWriter, name, value string, life int) {
	http.SetCookie(w, &http.Cookie{
		Name:     c.prefix + name,
		Value:    value,
		Path:     "/",
		MaxAge:   life,
		Secure:   c.secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // Strict would leave it out on the way back from the provider
	})
}

// clear takes a cookie away.
func (c cookies) clear(w http.ResponseWriter, name string) { c.set(w, name, "", -1) }

// get reads a cookie; "": there is none, or more than one, and nobody knows whose.
func (c cookies) get(r *http.Request, name string) string {
	if found := r.CookiesNamed(c.prefix + name); len(found) == 1 {
		return found[0].Value
	}
	return ""
}
