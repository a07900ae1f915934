package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// relistPause is how long a mirror waits after a list or a watch that has failed, and between two looks at whether it is
// wanted.
const relistPause = 500 * time.Millisecond

// mirror holds the objects at a path of the API server as its watch tells, so that nothing has to be listed again and again.
type mirror[T any] struct {
	api *api
	// path has a query.
	path   string
	nameOf func(T) objectName
	// wanted reports whether the API server is to be asked at all; nil for always.
	wanted func() bool
	// changed is called after each change.
	changed func()

	mu sync.Mutex
	// items are nil as long as they are not known.
	items map[objectName]T
	// failure is why they are not, where that is worth a word.
	failure error
}

// run keeps the mirror until the context ends.
func (m *mirror[T]) run(ctx context.Context) {
	for ctx.Err() == nil {
		var err error
		if m.wanted == nil || m.wanted() {
			if err = m.follow(ctx); err == nil {
				continue
			}
			m.forget(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(relistPause):
		}
	}
}

// follow lists the objects, and follows the watch to its end.
func (m *mirror[T]) follow(ctx context.Context) error {
	var list struct {
		Metadata struct{ ResourceVersion string }
		Items    []T
	}
	if err := m.api.get(ctx, m.path, &list); err != nil {
		return err
	}
	m.mu.Lock()
	m.items, m.failure = map[objectName]T{}, nil
	for _, item := range list.Items {
		m.items[m.nameOf(item)] = item
	}
	m.mu.Unlock()
	m.changed()
	return m.api.watch(ctx, m.path+"&watch=1&timeoutSeconds=300&resourceVersion="+list.Metadata.ResourceVersion, m.take)
}

// take an event of the watch.
func (m *mirror[T]) take(event watchEvent) error {
	if event.Type == "ERROR" {
		return fmt.Errorf("watching %s: %s", m.path, event.Object)
	}
	var item T
	if err := json.Unmarshal(event.Object, &item); err != nil {
		return err
	}
	m.mu.Lock()
	if event.Type == "DELETED" {
		delete(m.items, m.nameOf(item))
	} else {
		m.items[m.nameOf(item)] = item
	}
	m.mu.Unlock()
	m.changed()
	return nil
}

// forget what is not known any more. That a kind is not served, or not yet, is no failure.
func (m *mirror[T]) forget(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items, m.failure = nil, unlessAway(err)
}

// list returns the objects; isKnown is false where nobody knows them.
func (m *mirror[T]) list() (items []T, isKnown bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, item := range m.items {
		items = append(items, item)
	}
	return items, m.items != nil, m.failure
}

// watchEvent is a line of a watch.
type watchEvent struct {
	Type   string
	Object json.RawMessage
}

// watch calls a function for each event of a watch, until that ends or the function fails.
func (a *api) watch(ctx context.Context, path string, take func(watchEvent) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, nil)
	if err != nil {
		return err
	}
	endless := &http.Client{Transport: a.client.Transport}
	response, err := endless.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &refusal{status: response.StatusCode, text: "GET " + path + ": " + response.Status}
	}
	events := json.NewDecoder(response.Body)
	for {
		var event watchEvent
		if err := events.Decode(&event); err != nil {
			if errors.Is(err, io.EOF) {
				return nil // the time of the watch is over
			}
			return err
		}
		if err := take(event); err != nil {
			return err
		}
	}
}
