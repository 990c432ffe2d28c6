package authserver

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"porterhouse/page"
)

// Server is the room. It is safe for concurrent use.
type Server struct {
	Config

	routes  map[string]route // by path
	clients *clients
	grants  map[string]grant // by grant_type
	*parts
}

// New checks c and returns its Server.
func New(c Config) (*Server, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Server{Config: c.withDefaults()}
	var err error
	if s.clients, err = newClients(s.Config); err != nil {
		return nil, err
	}
	if s.parts, err = newParts(s.Config); err != nil {
		return nil, err
	}
	s.grants = grantsOf(s)
	s.routes = map[string]route{}
	for _, r := range routesOf(s) {
		s.routes[r.path] = r
	}
	return s, nil
}

// audience is who may send requests to a path.
type audience string

// The audiences.
const (
	programs audience = "programs" // and programs in browsers, from wherever they were loaded
	servers  audience = "servers"  // nobody in a browser has a reason to
	people   audience = "people"   // with cookies, which a page of somebody else must not use
)

// route is one path.
type route struct {
	path    string
	methods []string // HEAD goes with GET
	of      audience
	serve   http.HandlerFunc
}

var (
	reading          = []string{http.MethodGet, http.MethodHead}
	sending          = []string{http.MethodPost}
	readingOrSending = []string{http.MethodGet, http.MethodHead, http.MethodPost}
)

// routesOf is everything that a server answers.
func routesOf(s *Server) []route {
	base := s.issuerPath()
	routes := []route{
		{base + pathAuthorize, readingOrSending, people, s.serveAuthorize},
		{base + pathToken, sending, programs, s.serveToken},
		{base + pathOtherToken, sending, programs, s.serveToken},
		{base + pathRevoke, sending, programs, s.serveRevoke},
		{base + pathIntrospect, sending, servers, s.serveIntrospect},
		{base + pathKeys, reading, programs, serveKeys(s.Keys)},
	}
	if s.DeviceCodes {
		routes = append(routes,
			route{base + pathDeviceAuthorization, sending, programs, serveDeviceAuthorization(s)},
			route{base + pathOtherDevice, sending, programs, serveDeviceAuthorization(s)},
			route{base + pathDevice, readingOrSending, people, serveDevicePage(s)})
	}
	if s.AllowRegistration {
		routes = append(routes, route{base + pathRegister, sending, programs, serveRegister(s)})
	}
	return append(routes, wellKnown(&s.Config)...)
}

// Paths lists the paths that ServeHTTP answers, for whoever routes.
func (s *Server) Paths() []string { return slices.Sorted(maps.Keys(s.routes)) }

// ServeHTTP answers all paths of the issuer.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, known := s.routes[r.URL.Path]
	if !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if route.of == programs && crossOrigin(w, r, route.methods) {
		return
	}
	if !slices.Contains(route.methods, r.Method) {
		w.Header().Set("Allow", strings.Join(route.methods, ", "))
		http.Error(w, "this path answers "+strings.Join(route.methods, " and "), http.StatusMethodNotAllowed)
		return
	}
	if route.of == people && http.NewCrossOriginProtection().Check(r) != nil {
		s.pages.WriteProblem(w, page.Problem{
			Status: http.StatusForbidden, Title: "That came from another site", Request: requestID(r),
			Text:   "A page of another site sent this form, so nothing was done.",
			Advice: "Close that page. If you were signing in, go back to your program and begin there anew.",
		})
		return
	}
	route.serve(w, r)
}
