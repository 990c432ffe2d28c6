package authserver

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"porterhouse"
	"porterhouse/audit"
	"porterhouse/page"
)

// deviceVisit is one request of a browser to /device:
//
//	no code ─▶ enter it ─▶ who is it? nobody: off to sign in, and back here
//	        ─▶ whose code is it? wrong: enter it again ─▶ who asks? agree, or cancel ─▶ done
//
// Nothing of a request is told before somebody is signed in and has its right code,
// and how often one person, or one network, may try codes is bounded.
type deviceVisit struct {
	*Server
	w    http.ResponseWriter
	r    *http.Request
	form url.Values
	code string // "": none that could be one
	who  porterhouse.Principal

	request  storedDevice
	client   Client
	resource Resource
}

// serveDevicePage answers GET and POST /device.
func serveDevicePage(s *Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &deviceVisit{Server: s, w: w, r: r}
		if ready, err := v.arrive(); err != nil {
			v.fail(err)
		} else if ready {
			v.answer()
		}
	}
}

// arrive reads the code and finds out who is there; it reports whether there is a
// code, and somebody who may look for it. Else the browser has its answer already.
func (v *deviceVisit) arrive() (ready bool, err error) {
	if v.r.Method == http.MethodPost {
		v.form, err = readForm(v.w, v.r)
	} else {
		v.form, err = readParameters(v.r.URL.RawQuery)
	}
	if err != nil {
		return false, err
	}
	typed := v.form.Get("user_code")
	var ok bool
	if v.code, ok = parseUserCode(typed); !ok {
		v.enter(typed, typed != "")
		return false, nil
	}
	v.who, err = v.Who(v.r)
	if kind, _ := porterhouse.Explain(err); err != nil && kind == porterhouse.Unauthenticated {
		v.signIn()
		return false, nil
	}
	return err == nil, err
}

// enter shows the page on which a code is typed.
func (v *deviceVisit) enter(typed string, wrong bool) {
	status := http.StatusOK
	if wrong {
		status = http.StatusBadRequest
	}
	v.pages.Write(v.w, page.View{Name: "device", Title: "Let a program in", Status: status, Data: struct {
		Action, Typed, Life string
		Wrong               bool
	}{v.r.URL.Path, typed, inWords(v.Lifetimes.Device), wrong}})
}

// signIn sends the browser to sign in.
func (v *deviceVisit) signIn() { http.Redirect(v.w, v.r, v.signInURL(), http.StatusSeeOther) }

// signInURL is where to sign in, and come back from with the code.
func (v *deviceVisit) signInURL() string {
	back := url.URL{Path: v.r.URL.Path, RawQuery: "user_code=" + showUserCode(v.code)}
	return v.SignIn + "?return=" + url.QueryEscape(back.String())
}

// answer shows who asks, or does what the person said.
func (v *deviceVisit) answer() {
	err := v.find()
	switch {
	case errors.Is(err, errUserCode):
		v.Log.InfoContext(v.r.Context(), "a wrong user code", "request", requestID(v.r), "user", v.who.User, "remote", v.r.RemoteAddr)
		v.enter(showUserCode(v.code), true)
	case err != nil:
		v.fail(err)
	case v.r.Method == http.MethodPost:
		if err := v.decide(); err != nil {
			v.fail(err)
		}
	default:
		v.ask()
	}
}

// deviceView is what the page shows that asks the person.
type deviceView struct {
	askView
	Client    string
	Host      string // that the client's metadata came from; "": the operator or a registration named it
	Document  string // its address there
	Code      string
	Asked     string // how long ago
	From      string // address
	Elsewhere bool   // which is of another network than the person's
}

// ago is a time that has passed, for people.
func ago(d time.Duration) string {
	if d < time.Minute {
		return "less than a minute ago"
	}
	return inWords(d.Truncate(time.Minute)) + " ago"
}

// addressOf is an address without its port.
func addressOf(remote string) string {
	if address, err := netip.ParseAddrPort(remote); err == nil {
		return address.Addr().Unmap().String()
	}
	return remote
}

// find looks for the request, for somebody who has not tried too many codes.
func (v *deviceVisit) find() (err error) {
	if !v.Limits.guesses.takeKey(v.who.Key()) || !v.Limits.userCodes.take(v.r.RemoteAddr) {
		return refuse("temporarily_unavailable", "too many codes were tried by you, or from your network; wait a few minutes").as(http.StatusTooManyRequests)
	}
	if v.request, err = v.devices.find(v.r.Context(), v.code); err != nil {
		return err
	}
	if v.client, err = v.Server.client(v.r.Context(), v.request.Client, v.r.RemoteAddr); err != nil {
		return err
	}
	v.resource, err = v.resourceOf(v.client, v.request.Resource)
	return err
}

// consented is what a yes on the page belongs to: exactly this request.
func (v *deviceVisit) consented() string { return v.r.URL.Path + " " + v.request.key }

// ask shows who asks, and for what.
func (v *deviceVisit) ask() {
	now := v.Now()
	asks := v.Lifetimes.asks(v.who, v.resource, v.request.Scopes, now)
	asks.Action, asks.Consent, asks.Others = v.r.URL.Path, v.consents.token(v.who, v.consented()), v.signInURL()
	v.pages.Write(v.w, page.View{Name: "device_ask", Title: "Let " + v.client.title() + " use ClickHouse as you?", Data: deviceView{
		askView: asks,
		Client:  v.client.title(), Host: v.client.Host, Document: v.client.address(), Code: showUserCode(v.code),
		Asked: ago(now.Sub(v.request.Asked)), From: addressOf(v.request.Remote),
		Elsewhere: network(v.request.Remote) != network(v.r.RemoteAddr),
	}})
}

// decide does what the person said on the page.
func (v *deviceVisit) decide() error {
	if err := v.consents.check(v.form.Get("consent"), v.who, v.consented()); err != nil {
		return refuse("access_denied", "this page was open for too long, or is another person's; begin anew with the code").because(err)
	}
	agreed := v.form.Get("answer") == "agree"
	act := v.refuse
	if agreed {
		act = v.agree
	}
	if err := act(); err != nil {
		return err
	}
	v.done(agreed)
	return nil
}

// refuse notes the person's no.
func (v *deviceVisit) refuse() error {
	r := v.request.deviceRequest
	r.Verdict = deviceRefused
	if err := v.write(r); err != nil {
		return err
	}
	v.recordNo(v.r, v.event(r))
	return nil
}

// event is what the record has of the person's answer.
func (v *deviceVisit) event(r deviceRequest) audit.AccessEvent {
	return audit.AccessEvent{
		ID: requestID(v.r), Action: "consent", Who: v.who, Client: r.Client, Remote: v.r.RemoteAddr,
		Scopes: r.Scopes, For: r.Resource, Token: r.Family, Reason: "a device that asked from " + addressOf(r.Remote),
	}
}

// agree notes the person's yes: in the record, and then for the program.
func (v *deviceVisit) agree() error {
	if err := errors.Join(tooManyGroups(v.who), v.Limits.tooManyYeses(v.who)); err != nil {
		return err
	}
	who, r := newPerson(v.who), v.request.deviceRequest
	r.Verdict, r.Who, r.Family, r.Scopes = deviceAgreed, &who, newID(), ticked(r.Scopes, v.form)
	event := v.event(r)
	if err := v.Audit.Access(event); err != nil {
		return err
	}
	if event.Err = v.write(r); event.Err != nil { // nothing was given after all
		return errors.Join(event.Err, v.Audit.Access(event))
	}
	return nil
}

// write keeps what became of the request, unless somebody was faster.
func (v *deviceVisit) write(answered deviceRequest) error {
	won, err := v.devices.change(v.r.Context(), v.request, answered)
	if err == nil && !won {
		return refuse("access_denied", "somebody has answered for this code in the meantime")
	}
	return err
}

// done tells the person what they have done.
func (v *deviceVisit) done(agreed bool) {
	count, title := &v.stats.canceled, "Cancelled"
	if agreed {
		count, title = &v.stats.agreed, "You can go back to your program"
	}
	count.Add(1)
	v.Log.InfoContext(v.r.Context(), "a person answered for a device", "request", requestID(v.r), "client", v.request.Client,
		"user", v.who.User, "agreed", agreed)
	v.pages.Write(v.w, page.View{Name: "device_done", Title: title, Data: map[string]any{
		"Agreed": agreed, "Client": v.client.title(), "User": v.who.User,
	}})
}

// fail tells the person what went wrong.
func (v *deviceVisit) fail(err error) {
	p := problemOf(err)
	level := slog.LevelInfo
	if p.httpStatus() >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	v.Log.LogAttrs(v.r.Context(), level, "device page refused", slog.String("request", requestID(v.r)),
		slog.String("client", v.request.Client), slog.String("user", v.who.User), slog.String("remote", v.r.RemoteAddr), slog.Any("error", err))
	v.pages.WriteProblem(v.w, page.Problem{
		Status: p.pageStatus(), Title: "The program was not let in", Text: page.Sentence(p.text), Request: requestID(v.r),
		Advice: "Start again with the code that your program shows.", Again: v.r.URL.Path,
	})
}
