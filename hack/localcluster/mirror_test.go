package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// A mirror has what was listed and what the watch tells, begins anew after an error, and knows nothing of a kind that is
// not served.
func TestMirror(t *testing.T) {
	named := func(name string) string { return fmt.Sprintf(`{"metadata":{"namespace":"a","name":%q}}`, name) }
	event := func(kind, name string) string { return fmt.Sprintf(`{"type":%q,"object":%s}`, kind, named(name)) }
	lists := []string{named("listed") + "," + named("deleted"), named("later")}
	watches := []string{
		event("ADDED", "added") + event("MODIFIED", "modified") + event("DELETED", "deleted") + `{"type":"ERROR","object":{"code":410}}`,
		event("ADDED", "last"),
	}
	var isServed bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		switch {
		case !isServed:
			w.WriteHeader(http.StatusNotFound)
		case request.URL.Query().Get("watch") != "":
			if request.URL.Query().Get("resourceVersion") != "7" {
				t.Errorf("watched from %s", request.URL)
			}
			_, _ = io.WriteString(w, watches[0])
			watches = watches[1:]
		default:
			_, _ = io.WriteString(w, `{"metadata":{"resourceVersion":"7"},"items":[`+lists[0]+`]}`)
			lists = lists[1:]
		}
	}))
	defer server.Close()
	m := &mirror[entry]{
		api: &api{url: server.URL, client: server.Client()}, path: "/x?", changed: func() {},
		nameOf: func(e entry) objectName { return e.Metadata },
	}
	expect := func(step string, err error, failure string, names ...string) {
		t.Helper()
		if failure == "" && err != nil || failure != "" && (err == nil || !strings.Contains(err.Error(), failure)) {
			t.Errorf("%s: %v", step, err)
		}
		var got []string
		for _, name := range slices.SortedFunc(maps.Keys(m.items), func(a, b objectName) int { return strings.Compare(a.Name, b.Name) }) {
			got = append(got, name.Name)
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s: %q, want %q", step, got, names)
		}
	}
	err := m.follow(t.Context())
	expect("not served", err, "404")
	m.forget(err)
	if _, isKnown, failure := m.list(); isKnown || failure != nil {
		t.Errorf("what is not served: %t, %v", isKnown, failure)
	}
	isServed = true
	err = m.follow(t.Context())
	expect("a watch that breaks off", err, "410", "added", "listed", "modified")
	m.forget(err)
	if _, isKnown, failure := m.list(); isKnown || failure == nil {
		t.Errorf("what is not known any more: %t, %v", isKnown, failure)
	}
	expect("a watch whose time is over", m.follow(t.Context()), "", "last", "later")
}

// Nobody is asked for what is not wanted.
func TestMirrorThatIsNotWanted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := &mirror[entry]{wanted: func() bool { cancel(); return false }}
	m.run(ctx)
	if _, isKnown, _ := m.list(); isKnown {
		t.Error("it is known")
	}
}
